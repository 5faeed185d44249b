import type { BackupLocation } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { JobRow } from '../jobs/index.js';
import { linksOf } from './backup-chain.js';
import type { BackupRow } from './backup.entity.js';
import { getBackup, lockChain } from './backup.repository.js';

/**
 * A backup and the earlier ones that it points into, kept from being deleted until the caller has committed.
 * @throws AppError NOT_FOUND
 */
export const chainLocked = async (
  tx: Tx,
  workspaceId: string,
  backupId: string,
): Promise<{ backup: BackupRow; links: readonly BackupLocation[] }> => {
  const { chainId } = await getBackup(tx, workspaceId, backupId);
  const chain = chainId === null ? [] : await lockChain(tx, chainId);
  // Read after the lock: what a deletion decided while it was waited for counts.
  const backup = await getBackup(tx, workspaceId, backupId);
  return { backup, links: linksOf(backup, chain) };
};

/** Also of a job that was deleted since. */
export const timeLimitOf = async (tx: Tx, jobId: string): Promise<number> =>
  (await tx.findOneByOrFail(JobRow, { id: jobId })).timeLimitMinutes;
