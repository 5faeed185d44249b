import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below Linux's range for outgoing connections (32768…), so that no client socket takes the port between the check and its use. */
const LOWEST_PORT = 15_000;
const HIGHEST_PORT = 31_000;
const ATTEMPTS = 50;

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * A TCP port of 127.0.0.1 that nobody listens on now. Nothing reserves it: whoever starts a server on it must be ready to ask again.
 * May run any number of times, in any number of processes.
 * @throws Error when no port is free after 50 draws
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT);
    if (await canListen(port)) return port;
  }
  throw new Error(
    `No free TCP port between ${LOWEST_PORT} and ${HIGHEST_PORT} on 127.0.0.1: end the servers that fill the range`,
  );
}
