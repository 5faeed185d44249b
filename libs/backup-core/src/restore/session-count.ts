import { availableParallelism, freemem } from 'node:os';

const MOST_BY_ITSELF = 4;
/** A session of the server that builds an index, and psql beside it. */
const BYTES_PER_SESSION = 256 * 1024 * 1024;

/**
 * How many sessions load at once. One core is this program's own, which decrypts and digests: on two cores a second session gained nothing.
 * @param wanted 0 leaves it to this machine
 */
export function sessionCount(wanted: number, room = { cores: availableParallelism(), freeBytes: freemem() }): number {
  const asked = wanted === 0 ? Math.min(room.cores - 1, MOST_BY_ITSELF) : wanted;
  return Math.max(1, Math.min(asked, Math.floor(room.freeBytes / BYTES_PER_SESSION)));
}
