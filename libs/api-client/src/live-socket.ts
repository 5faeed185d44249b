import type { PersonToServerEvents, ServerToPersonEvents } from '@rahatback/contracts';
import { io, type Socket } from 'socket.io-client';

export type LiveSocket = Socket<ServerToPersonEvents, PersonToServerEvents>;

/**
 * What happens in the caller's workspace, as it happens. Events are hints: read the row after a reconnection, because what was missed is not sent again.
 * The server cuts the socket when its token ends, so a page that stays open gives a function: it is asked again at every reconnection.
 * @param url origin of the API @param token an access token or what gets a fresh one; `connect_error` carries the ErrorBody of a refusal in `data`
 */
export function connectLive(url: string, token: string | (() => Promise<string>)): LiveSocket {
  // A browser sends its own Origin; other clients must name one, because the server refuses a socket without.
  return io(url, {
    extraHeaders: { origin: new URL(url).origin },
    transports: ['websocket'],
    auth: (present: (auth: { token: string }) => void) => {
      if (typeof token === 'string') present({ token });
      else
        token().then(
          (fresh) => present({ token: fresh }),
          () => present({ token: '' }), // refused by the server, which the page hears of
        );
    },
    reconnectionDelay: 500,
    reconnectionDelayMax: 10_000,
    randomizationFactor: 0.5,
  });
}
