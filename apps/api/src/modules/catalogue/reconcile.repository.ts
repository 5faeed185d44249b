import { In } from 'typeorm';
import type { Tx } from '../../platform/database/database.js';
import { BackupRow } from '../backups/index.js';

const PAGE = 500;

/** Where a page of the history ended, by the ids that a backup has in the storage. */
export interface HistoryCursor {
  readonly workspaceId: string;
  readonly databaseId: string;
  readonly backupId: string;
}

const IDS = `(coalesce(origin_workspace_id, workspace_id), coalesce(origin_database_id, database_id), id)`;

/** The storage's successful, kept backups in the order of their keys. @returns an empty page at the end */
export const successfulAfter = async (tx: Tx, storageId: string, after: HistoryCursor | null): Promise<BackupRow[]> => {
  const from = after === null ? [] : [after.workspaceId, after.databaseId, after.backupId];
  const rows = await tx.query<{ id: string }[]>(
    `SELECT id FROM backups
     WHERE storage_id = $1 AND status = 'success' AND deleting_at IS NULL AND deleted_at IS NULL
       ${after === null ? '' : `AND ${IDS} > ($3::uuid, $4::uuid, $5::uuid)`}
     ORDER BY ${IDS} LIMIT $2`,
    [storageId, PAGE, ...from],
  );
  const found = new Map((await tx.findBy(BackupRow, { id: In(rows.map(({ id }) => id)) })).map((row) => [row.id, row]));
  return rows.flatMap(({ id }) => found.get(id) ?? []);
};

/** Workspace ids below which this storage's backups stand: the workspace's own, and those of imported ones. Ascending. */
export const workspaceFolders = async (tx: Tx, workspaceId: string, storageId: string): Promise<string[]> => {
  const rows = await tx.query<{ id: string }[]>(
    `SELECT DISTINCT origin_workspace_id AS id FROM backups WHERE storage_id = $1 AND origin_workspace_id IS NOT NULL AND deleted_at IS NULL`,
    [storageId],
  );
  return [...new Set([workspaceId, ...rows.map(({ id }) => id)])].sort();
};

export type AttemptStanding =
  /** At work, or its row is about to be settled. */
  | 'running'
  /** A cleanup or a deletion is to empty its place. */
  | 'cleaning'
  /** The attempt that a successful, kept backup consists of. */
  | 'kept'
  /** Ended long ago, or its backup is deleted: nothing will look at its place again. */
  | 'over';

/** What the history says of the attempts of one backup, by fence. An attempt that is not in it is unknown. */
export const standingsOf = async (tx: Tx, backupId: string): Promise<Map<number, AttemptStanding>> => {
  const rows = await tx.query<{ fence: number; standing: AttemptStanding }[]>(
    `SELECT a.fence::float8 AS fence, CASE
       WHEN a.state = 'running' OR b.status = 'running' AND b.fence = a.fence THEN 'running'
       WHEN b.deleted_at IS NOT NULL THEN 'over'
       WHEN b.deleting_at IS NOT NULL THEN 'cleaning'
       WHEN a.state = 'success' AND b.status = 'success' AND b.fence = a.fence THEN 'kept'
       WHEN a.cleaned_at IS NULL OR a.ended_at > clock_timestamp() - interval '7 days' THEN 'cleaning'
       ELSE 'over' END AS standing
     FROM backup_attempts a JOIN backups b ON b.id = a.backup_id WHERE a.backup_id = $1`,
    [backupId],
  );
  return new Map(rows.map(({ fence, standing }) => [fence, standing]));
};

/** Sets, or with null clears, what is known of the damage of a backup that is still kept. @returns whether the row changed */
export const setDamage = async (tx: Tx, backupId: string, damage: string | null): Promise<boolean> => {
  const update = await tx
    .createQueryBuilder()
    .update(BackupRow)
    .set({ damage })
    .where(`id = :backupId AND status = 'success' AND deleted_at IS NULL AND damage IS DISTINCT FROM :damage`, {
      backupId,
      damage,
    })
    .execute();
  return update.affected === 1;
};

export interface DueStorage {
  readonly id: string;
  readonly workspaceId: string;
}

/** Server-reachable storages with backups that nobody has reconciled for a day. Needs the system path. */
export const findDue = (tx: Tx, afterHours: number, limit: number): Promise<DueStorage[]> =>
  tx.query<DueStorage[]>(
    `SELECT s.id, s.workspace_id AS "workspaceId" FROM storages s
     WHERE s.deleted_at IS NULL AND s.settings->>'agentId' IS NULL
       AND s.created_at < clock_timestamp() - $1 * interval '1 hour'
       AND EXISTS (SELECT 1 FROM backups b WHERE b.storage_id = s.id AND b.status = 'success' AND b.deleted_at IS NULL)
       AND NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.workspace_id = s.workspace_id AND e.action = 'storage.reconciled'
         AND e.target_id = s.id::text AND e.at > clock_timestamp() - $1 * interval '1 hour')
     ORDER BY s.created_at LIMIT $2`,
    [afterHours, limit],
  );
