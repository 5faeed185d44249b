import type { PersonToServerEvents, ServerToPersonEvents } from '@rahatback/contracts';
import { io, type Socket } from 'socket.io-client';

export type LiveSocket = Socket<ServerToPersonEvents, PersonToServerEvents>;

/**
 * What happens in the caller's workspace, as it happens. Events are hints: read the row after a reconnection, because what was missed is not sent again.
 * @param url origin of the API @param token an access token; the server cuts the socket when it is refused
 */
export function connectLive(url: string, token: string): LiveSocket {
  return io(url, {
    transports: ['websocket'],
    auth: { token },
    reconnectionDelay: 500,
    reconnectionDelayMax: 10_000,
    randomizationFactor: 0.5,
  });
}
