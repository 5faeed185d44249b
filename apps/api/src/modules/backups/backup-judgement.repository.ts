import type { VerificationLevel } from '@rahatback/contracts';
import { In } from 'typeorm';
import type { Tx } from '../../platform/database/database.js';
import { BackupRow } from './backup.entity.js';
import { DB_NOW } from './backup.repository.js';

/** What a backup's row says of its last verification. */
export interface Judgement {
  readonly verificationStatus: 'PASSED' | 'FAILED';
  readonly verificationLevel: VerificationLevel;
  /** Null: every object that was read is whole. */
  readonly damage: string | null;
  readonly measuredRestoreMs?: number;
}

/** Locked in the order in which a chain is locked, and before any verification row: starts hold the chain while they insert theirs. */
export const lockForJudgement = (tx: Tx, ids: readonly string[]): Promise<BackupRow[]> =>
  tx.find(BackupRow, {
    where: { id: In([...new Set(ids)]) },
    order: { chainPosition: 'ASC', id: 'ASC' },
    lock: { mode: 'pessimistic_write' },
  });

export const judgeBackup = async (tx: Tx, id: string, judgement: Judgement): Promise<void> => {
  await tx.update(BackupRow, { id }, { ...judgement, verifiedAt: DB_NOW });
};

export const markDamaged = async (tx: Tx, id: string, damage: string): Promise<void> => {
  await tx.update(BackupRow, { id }, { damage });
};

export interface AwaitingVerification {
  readonly id: string;
  readonly workspaceId: string;
  readonly level: VerificationLevel;
}

/** Good backups whose job wanted them verified and that nobody verifies yet, oldest first; those in deletion are let go. */
export const findAwaitingVerification = (tx: Tx, limit: number): Promise<AwaitingVerification[]> =>
  tx.query<AwaitingVerification[]>(
    `SELECT b.id, b.workspace_id AS "workspaceId", b.verify_after AS level FROM backups b
     WHERE b.verify_after IS NOT NULL AND b.status = 'success' AND b.deleting_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM verifications v WHERE v.backup_id = b.id AND (v.trigger = 'after_backup' OR v.status = 'PENDING'))
     ORDER BY b.completed_at LIMIT $1`,
    [limit],
  );

/** Only keeps the sweep's index small: the verification itself says that it was made. May run twice. */
export const forgetAwaitingVerification = async (tx: Tx): Promise<void> => {
  await tx.query(
    `UPDATE backups SET verify_after = NULL
     WHERE id IN (SELECT b.id FROM backups b JOIN verifications v ON v.backup_id = b.id AND v.trigger = 'after_backup'
                  WHERE b.verify_after IS NOT NULL AND b.status = 'success' FOR UPDATE OF b SKIP LOCKED)`,
  );
};
