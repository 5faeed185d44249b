import type { RestoreStatus, StorageType } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { AgentRow } from '../agents/index.js';
import { In } from 'typeorm';
import { StorageRow } from '../storages/index.js';
import type { BackupRow } from './backup.entity.js';

export const recoveryRecipientOf = async (tx: Tx, workspaceId: string): Promise<string | null> => {
  const rows = await tx.query<{ recipient: string | null }[]>(
    'SELECT recovery_recipient AS recipient FROM workspaces WHERE id = $1',
    [workspaceId],
  );
  return rows[0]?.recipient ?? null;
};

export const storageIsKept = async (tx: Tx, storageId: string): Promise<boolean> => {
  const storage = await tx.findOneBy(StorageRow, { id: storageId });
  return storage !== null && storage.deletedAt === null;
};

export interface LastRestore {
  readonly backupId: string;
  readonly status: RestoreStatus;
  readonly startedAt: Date;
}

export interface Surroundings {
  readonly storageTypes: ReadonlyMap<string, StorageType>;
  readonly agents: ReadonlyMap<string, AgentRow>;
  readonly lastRestores: ReadonlyMap<string, LastRestore>;
}

const unique = (ids: readonly string[]): string[] => [...new Set(ids)];

/** Read once for a whole page of backups. */
export const surroundingsOf = async (tx: Tx, backups: readonly BackupRow[]): Promise<Surroundings> => {
  const storages = await tx.findBy(StorageRow, { id: In(unique(backups.map((backup) => backup.storageId))) });
  const agents = await tx.findBy(AgentRow, { id: In(unique(backups.map((backup) => backup.agentId))) });
  const restores = await tx.query<LastRestore[]>(
    `SELECT DISTINCT ON (backup_id) backup_id AS "backupId", status, started_at AS "startedAt"
     FROM restores WHERE backup_id = ANY($1::uuid[]) ORDER BY backup_id, started_at DESC, id DESC`,
    [backups.map((backup) => backup.id)],
  );
  return {
    storageTypes: new Map(storages.map((storage) => [storage.id, storage.storageType])),
    agents: new Map(agents.map((agent) => [agent.id, agent])),
    lastRestores: new Map(restores.map((restore) => [restore.backupId, restore])),
  };
};

/** A restore at work on the backup keeps it from being deleted; one on a backup that points into it does so through that backup. */
export const isBeingRestored = async (tx: Tx, backupId: string): Promise<boolean> => {
  const rows = await tx.query<unknown[]>(`SELECT 1 FROM restores WHERE backup_id = $1 AND status = 'running' LIMIT 1`, [
    backupId,
  ]);
  return rows.length > 0;
};

/** As a restore does: the links that it reads are kept by the backup itself. */
export const isBeingVerified = async (tx: Tx, backupId: string): Promise<boolean> => {
  const rows = await tx.query<unknown[]>(`SELECT 1 FROM verifications WHERE backup_id = $1 AND status = 'PENDING' LIMIT 1`, [
    backupId,
  ]);
  return rows.length > 0;
};

/** Bytes that the largest of the job's last five good backups stored; 0 when it has none. */
export const largestRecentBytes = async (tx: Tx, jobId: string): Promise<number> => {
  const [row] = await tx.query<{ bytes: string | null }[]>(
    `SELECT max(stored_bytes) AS bytes FROM (
       SELECT stored_bytes FROM backups WHERE job_id = $1 AND status = 'success' ORDER BY started_at DESC LIMIT 5) recent`,
    [jobId],
  );
  return Number(row?.bytes ?? 0);
};
