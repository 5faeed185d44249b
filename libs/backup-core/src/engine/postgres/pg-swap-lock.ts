import { AppError } from '@rahatback/contracts';
import type { Client } from 'pg';
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { SwapRequest } from '../database-engine.js';
import { rowsOf } from './pg-client.js';

const WAIT_LIMIT_MS = 15_000;
const POLL_MS = 50;

export const restoreSubject = (restoreId: string): string => `restore ${restoreId}`;
/** One turn at a time for each restore, and for each live database whichever restore wants it. */
export const swapSubjects = ({ restoreId, liveDatabase }: SwapRequest): readonly string[] => [
  restoreSubject(restoreId),
  `database ${liveDatabase}`,
];

/**
 * Runs `work` while no other connection does so for one of the subjects. The lock belongs to the connection: what a killed process had under way
 * on the server has ended when the next one gets it.
 * @throws AppError SWAP_REFUSED when it is not free within 15 s
 */
export async function exclusively<T>(client: Client, subjects: readonly string[], work: () => Promise<T>): Promise<T> {
  const until = performance.now() + WAIT_LIMIT_MS;
  for (const subject of subjects) {
    const key = createHash('sha256').update(`rahatback swap of ${subject}`).digest().readBigInt64BE();
    while ((await rowsOf(client, 'SELECT pg_catalog.pg_try_advisory_lock($1::bigint)', [String(key)]))[0]?.[0] !== 't') {
      if (performance.now() > until)
        throw new AppError('SWAP_REFUSED', `Another swap of ${subject} is under way: wait for its end.`);
      await pause(POLL_MS);
    }
  }
  return work();
}
