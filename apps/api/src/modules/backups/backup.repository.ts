import type { BackupProgressView } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import type { QueryDeepPartialEntity } from 'typeorm';
import { IsNull, Not } from 'typeorm';
import type { Tx } from '../../platform/database/database.js';
import { removalIsUnderWay } from './agent-removal.repository.js';
import type { BackupEventName } from './backup-states.js';
import { backupMove } from './backup-states.js';
import { BackupRow } from './backup.entity.js';

export type BackupChange = QueryDeepPartialEntity<BackupRow>;

/** Names one attempt of one backup: what every write to the row must say. */
export interface AttemptRef {
  readonly backupId: string;
  readonly fence: number;
}

export const DB_NOW = (): string => 'clock_timestamp()';

export const backupResource = (jobId: string): string => `backup:${jobId}`;

const notFound = (): AppError =>
  new AppError('NOT_FOUND', 'There is no such backup in this workspace. Look at the list of backups.');

/** A shown row: deleted ones are gone for everybody. Row-level security already hides those of other workspaces. */
export const getBackup = async (tx: Tx, workspaceId: string, id: string): Promise<BackupRow> => {
  const backup = await tx.findOneBy(BackupRow, { id, workspaceId, deletedAt: IsNull() });
  if (backup === null) throw notFound();
  return backup;
};

/** As the machines see it: deleted rows too. */
export const readBackup = (tx: Tx, id: string): Promise<BackupRow | null> => tx.findOneBy(BackupRow, { id });

export const lockBackup = async (tx: Tx, workspaceId: string, id: string): Promise<BackupRow> => {
  const backup = await tx.findOne(BackupRow, {
    where: { id, workspaceId, deletedAt: IsNull() },
    lock: { mode: 'pessimistic_write' },
  });
  if (backup === null) throw notFound();
  return backup;
};

/**
 * Moves a row by its transition table and only from the state that the table names, under the caller's fence. A row that is being published is
 * moved by its publication alone.
 * @returns whether this call moved it
 */
export const moveBackup = async (tx: Tx, ref: AttemptRef, event: BackupEventName, change: BackupChange): Promise<boolean> => {
  const { from, to } = backupMove(event);
  const ended: BackupChange =
    to === 'running' ? {} : { completedAt: DB_NOW, publishing: false, publishingAt: null, progress: null };
  const update = tx
    .createQueryBuilder()
    .update(BackupRow)
    .set({ ...ended, ...change, status: to })
    .where('id = :backupId AND fence = :fence AND status = :from', { ...ref, from });
  if (event !== 'publish') update.andWhere('NOT publishing');
  return (await update.execute()).affected === 1;
};

/** From here on until the row is settled, or found unpublished by the watchdog, nothing else may end it. Setting it twice is fine. */
export const beginPublishing = async (tx: Tx, ref: AttemptRef): Promise<boolean> => {
  const { from } = backupMove('publish');
  const update = await tx
    .createQueryBuilder()
    .update(BackupRow)
    .set({ publishing: true, publishingAt: DB_NOW })
    .where('id = :backupId AND fence = :fence AND status = :from', { ...ref, from })
    .execute();
  return update.affected === 1;
};

export const stopPublishing = async (tx: Tx, ref: AttemptRef): Promise<boolean> => {
  const { from } = backupMove('publish');
  const update = await tx
    .createQueryBuilder()
    .update(BackupRow)
    .set({ publishing: false, publishingAt: null })
    .where('id = :backupId AND fence = :fence AND status = :from AND publishing', { ...ref, from })
    .execute();
  return update.affected === 1;
};

export interface ProgressTarget {
  readonly commandId: string;
  readonly fence: number;
  readonly agentId: string;
}

/** One statement, because progress comes often. Nothing is written for an attempt that has ended or is not this agent's. */
export const saveProgress = async (
  tx: Tx,
  target: ProgressTarget,
  progress: BackupProgressView,
): Promise<{ id: string; jobId: string } | null> => {
  const rows = await tx.query<{ id: string; jobId: string }[]>(
    `WITH moved AS (
       UPDATE backups b SET progress = $4
       FROM backup_attempts a
       WHERE a.command_id = $1 AND a.fence = $2 AND b.id = a.backup_id AND b.fence = a.fence AND b.agent_id = $3
         AND b.status = 'running' AND a.state = 'running'
       RETURNING b.id, b.job_id)
     SELECT id, job_id AS "jobId" FROM moved`,
    [target.commandId, target.fence, target.agentId, JSON.stringify(progress)],
  );
  return rows[0] ?? null;
};

/** The kept, successful backups of the job's newest chain, locked so that none of them can be deleted before the caller has committed. */
export const lockNewestChain = async (tx: Tx, jobId: string): Promise<BackupRow[]> => {
  const newest = await tx.findOne(BackupRow, {
    where: { jobId, status: 'success', deletingAt: IsNull(), deletedAt: IsNull() },
    order: { startedAt: 'DESC', id: 'DESC' },
  });
  if (newest?.chainId == null) return [];
  return lockChain(tx, newest.chainId);
};

export const lockChain = (tx: Tx, chainId: string): Promise<BackupRow[]> =>
  tx.find(BackupRow, {
    where: { chainId, status: 'success', deletingAt: IsNull(), deletedAt: IsNull() },
    order: { chainPosition: 'ASC' },
    lock: { mode: 'pessimistic_read' },
  });

/**
 * A kept backup, or one in the making, that points into this one: a later incremental of its chain always may, a differential only into its full.
 */
export const findDependent = async (tx: Tx, backup: BackupRow): Promise<string | null> => {
  if (backup.chainId === null || backup.status !== 'success') return null;
  const rows = await tx.query<{ id: string }[]>(
    `SELECT id FROM backups
     WHERE chain_id = $1 AND chain_position > $2 AND status IN ('running', 'success') AND deleting_at IS NULL AND deleted_at IS NULL
       AND (backup_type = 'incremental' OR base_backup_id = $3)
     ORDER BY chain_position DESC LIMIT 1`,
    [backup.chainId, backup.chainPosition, backup.id],
  );
  return rows[0]?.id ?? null;
};

export const insertBackup = async (tx: Tx, backup: BackupChange): Promise<void> => {
  await tx.insert(BackupRow, backup);
};

export const setServerVersion = async (tx: Tx, ref: AttemptRef, serverVersion: string): Promise<void> => {
  await tx.update(BackupRow, { id: ref.backupId, fence: ref.fence, status: 'running' }, { serverVersion });
};

export const markDeleting = async (tx: Tx, id: string): Promise<void> => {
  await tx.update(BackupRow, { id, deletingAt: IsNull() }, { deletingAt: DB_NOW });
};

/** Those that something can be done for now: none whose agent has the order to remove it and has not answered yet. */
export const findDeleting = (tx: Tx, limit: number): Promise<BackupRow[]> =>
  tx
    .createQueryBuilder(BackupRow, 'backup')
    .where('backup.deletingAt IS NOT NULL AND backup.deletedAt IS NULL')
    .andWhere(`NOT ${removalIsUnderWay('backup.agent_id', 'backup.id')}`)
    .orderBy('backup.deletingAt')
    .limit(limit)
    .getMany();

/** @returns whether this call was the one that ended the deletion */
export const markDeleted = async (tx: Tx, id: string): Promise<boolean> =>
  (await tx.update(BackupRow, { id, deletingAt: Not(IsNull()), deletedAt: IsNull() }, { deletedAt: DB_NOW })).affected === 1;

/** Running rows past their time, or without a live lease under their fence. Judged by the database's clock. */
export const findLost = async (tx: Tx, limit: number): Promise<{ id: string; workspaceId: string }[]> =>
  tx.query<{ id: string; workspaceId: string }[]>(
    `SELECT b.id, b.workspace_id AS "workspaceId" FROM backups b
     LEFT JOIN leases l ON l.resource = 'backup:' || b.job_id AND l.fence = b.fence AND l.holder IS NOT NULL
       AND l.expires_at >= clock_timestamp()
     WHERE b.status = 'running' AND NOT b.publishing AND (l.resource IS NULL OR b.deadline_at < clock_timestamp())
     ORDER BY b.started_at LIMIT $1`,
    [limit],
  );

/** Rows whose publication has taken longer than a publication takes: its process has died, or its storage is slow. */
export const findStuckPublishing = (tx: Tx, afterSeconds: number, limit: number): Promise<BackupRow[]> =>
  tx
    .createQueryBuilder(BackupRow, 'backup')
    .where(`backup.status = 'running' AND backup.publishing`)
    .andWhere(`backup.publishingAt < clock_timestamp() - :afterSeconds * interval '1 second'`, { afterSeconds })
    .limit(limit)
    .getMany();

/** Locks at once or fails: for callers that hold the command's row already, and must not wait for somebody who waits for that. */
export const lockBackupOrFail = (tx: Tx, id: string): Promise<BackupRow | null> =>
  tx.findOne(BackupRow, { where: { id }, lock: { mode: 'pessimistic_write', onLocked: 'nowait' } });

/** Null when another process is at it. */
export const tryLockBackup = (tx: Tx, id: string): Promise<BackupRow | null> =>
  tx.findOne(BackupRow, { where: { id }, lock: { mode: 'pessimistic_write', onLocked: 'skip_locked' } });

export const isPastDeadline = async (tx: Tx, id: string): Promise<boolean> => {
  const rows = await tx.query<unknown[]>('SELECT 1 FROM backups WHERE id = $1 AND deadline_at < clock_timestamp()', [id]);
  return rows.length > 0;
};

export const countRunning = (tx: Tx): Promise<number> => tx.countBy(BackupRow, { status: 'running' });
