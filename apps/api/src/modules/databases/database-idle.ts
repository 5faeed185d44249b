import { AppError } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';

/**
 * Backups, restores and verifications are modules further on, but their rows point here: this only looks whether any of them runs.
 * @throws AppError CONFLICT
 */
export async function assertIdle(tx: Tx, databaseId: string, then: string): Promise<void> {
  const rows = await tx.query<{ isBusy: boolean }[]>(
    `SELECT EXISTS (SELECT 1 FROM backups WHERE database_id = $1 AND status = 'running')
         OR EXISTS (SELECT 1 FROM restores WHERE coalesce(target_database_id, database_id) = $1
              AND (status = 'running' OR swap_state IN ('swapping','undoing','discarding')))
         OR EXISTS (SELECT 1 FROM restores WHERE database_id = $1 AND status = 'running')
         OR EXISTS (SELECT 1 FROM verifications WHERE database_id = $1 AND status = 'PENDING') AS "isBusy"`,
    [databaseId],
  );
  if (rows[0]?.isBusy === false) return;
  throw new AppError(
    'CONFLICT',
    `A backup, restore, swap or verification of this database is running. Wait until it has ended, or cancel it, then ${then}.`,
  );
}
