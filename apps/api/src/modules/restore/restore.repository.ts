import type { BackupProgressView } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { In } from 'typeorm';
import type { QueryDeepPartialEntity } from 'typeorm';
import type { Tx } from '../../platform/database/database.js';
import { AgentRow } from '../agents/index.js';
import type { RestoreEventName } from './restore-states.js';
import { restoreMove } from './restore-states.js';
import { RestoreRow } from './restore.entity.js';

export type RestoreChange = QueryDeepPartialEntity<RestoreRow>;

const DB_NOW = (): string => 'clock_timestamp()';

const notFound = (): AppError =>
  new AppError('NOT_FOUND', 'There is no such restore in this workspace. Look at the list of restores.');

/** The database whose server takes the copy. */
export const targetIdOf = ({ targetDatabaseId, databaseId }: Pick<RestoreRow, 'targetDatabaseId' | 'databaseId'>): string =>
  targetDatabaseId ?? databaseId;

/** Of the command that asks another agent for the key. */
export const keyResource = (restoreId: string): string => `rewrap:${restoreId}`;

export const restoreResource = (databaseId: string, target: string): string => `restore:${databaseId}/${target}`;

export const restoreResourceOf = (restore: Pick<RestoreRow, 'targetDatabaseId' | 'databaseId' | 'targetDatabase'>): string =>
  restoreResource(targetIdOf(restore), restore.targetDatabase);

export const getRestore = async (tx: Tx, workspaceId: string, id: string): Promise<RestoreRow> => {
  const restore = await tx.findOneBy(RestoreRow, { id, workspaceId });
  if (restore === null) throw notFound();
  return restore;
};

export const lockRestore = async (tx: Tx, workspaceId: string, id: string): Promise<RestoreRow> => {
  const restore = await tx.findOne(RestoreRow, { where: { id, workspaceId }, lock: { mode: 'pessimistic_write' } });
  if (restore === null) throw notFound();
  return restore;
};

/** Waits; null when there is none. */
export const lockRestoreById = (tx: Tx, id: string): Promise<RestoreRow | null> =>
  tx.findOne(RestoreRow, { where: { id }, lock: { mode: 'pessimistic_write' } });

/** Null when another process is at it. */
export const tryLockRestore = (tx: Tx, id: string): Promise<RestoreRow | null> =>
  tx.findOne(RestoreRow, { where: { id }, lock: { mode: 'pessimistic_write', onLocked: 'skip_locked' } });

/** Locks at once or fails: for callers that hold the command's row already, and must not wait for somebody who waits for that. */
export const lockRestoreOfCommand = (tx: Tx, commandId: string, wait: boolean): Promise<RestoreRow | null> =>
  tx.findOne(RestoreRow, {
    where: { commandId },
    lock: wait ? { mode: 'pessimistic_write' } : { mode: 'pessimistic_write', onLocked: 'nowait' },
  });

export const insertRestore = async (tx: Tx, restore: RestoreChange): Promise<void> => {
  await tx.insert(RestoreRow, restore);
};

/** Moves a row by its transition table, once, under its fence. @returns whether this call moved it */
export const moveRestore = async (
  tx: Tx,
  restore: RestoreRow,
  event: RestoreEventName,
  change: RestoreChange,
): Promise<boolean> => {
  const { from, to } = restoreMove(event);
  const update = await tx
    .createQueryBuilder()
    .update(RestoreRow)
    .set({ ...change, status: to, completedAt: DB_NOW, progress: null })
    .where('id = :id AND fence = :fence AND status = :from', { id: restore.id, fence: restore.fence, from })
    .execute();
  return update.affected === 1;
};

export const saveRestoreProgress = async (
  tx: Tx,
  target: { readonly commandId: string; readonly fence: number; readonly agentId: string },
  progress: BackupProgressView,
): Promise<string | null> => {
  const rows = await tx.query<{ id: string }[]>(
    `WITH moved AS (
       UPDATE restores SET progress = $4 WHERE command_id = $1 AND fence = $2 AND agent_id = $3 AND status = 'running' RETURNING id)
     SELECT id FROM moved`,
    [target.commandId, target.fence, target.agentId, JSON.stringify(progress)],
  );
  return rows[0]?.id ?? null;
};

export const findRestores = (tx: Tx, workspaceId: string, page: { skip: number; take: number }): Promise<RestoreRow[]> =>
  tx.find(RestoreRow, { where: { workspaceId }, order: { startedAt: 'DESC', id: 'DESC' }, ...page });

export const countRestores = async (tx: Tx, workspaceId: string, limit: number): Promise<number> => {
  const [row] = await tx.query<{ count: number }[]>(
    'SELECT count(*)::int AS count FROM (SELECT 1 FROM restores WHERE workspace_id = $1 LIMIT $2) counted',
    [workspaceId, limit],
  );
  return row?.count ?? 0;
};

/** Running restores past their time, or without a live lease under their fence. Judged by the database's clock. */
export const findLostRestores = (tx: Tx, limit: number): Promise<{ id: string; workspaceId: string; late: boolean }[]> =>
  tx.query<{ id: string; workspaceId: string; late: boolean }[]>(
    `SELECT r.id, r.workspace_id AS "workspaceId", r.deadline_at < clock_timestamp() AS late FROM restores r
     LEFT JOIN leases l ON l.resource = 'restore:' || coalesce(r.target_database_id, r.database_id) || '/' || r.target_database AND l.fence = r.fence
       AND l.holder IS NOT NULL AND l.expires_at >= clock_timestamp()
     WHERE r.status = 'running' AND (l.resource IS NULL OR r.deadline_at < clock_timestamp())
     ORDER BY r.started_at LIMIT $1`,
    [limit],
  );

export const addRestoreStep = async (
  tx: Tx,
  restore: RestoreRow,
  step: { name: string; at: string; detail?: string },
): Promise<void> => {
  await tx
    .createQueryBuilder()
    .update(RestoreRow)
    .set({ steps: () => 'steps || :step::jsonb' })
    .where('id = :id AND fence = :fence', { id: restore.id, fence: restore.fence })
    .setParameter('step', JSON.stringify([step]))
    .execute();
};

/** Keeps what an agent says about a restore that was ended without its word; the first word stays. */
export const keepLateRestoreWords = async (tx: Tx, restore: RestoreRow, words: RestoreChange): Promise<void> => {
  await tx
    .createQueryBuilder()
    .update(RestoreRow)
    .set(words)
    .where('id = :id AND log_tail IS NULL', { id: restore.id })
    .execute();
};

/** Read once for a whole page of restores. */
export const agentsOf = (tx: Tx, restores: readonly RestoreRow[]): Promise<AgentRow[]> =>
  tx.findBy(AgentRow, { id: In([...new Set(restores.map((restore) => restore.agentId))]) });
