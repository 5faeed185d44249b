import type { AttemptStep, ErrorCode } from '@rahatback/contracts';
import type { QueryDeepPartialEntity } from 'typeorm';
import type { Tx } from '../../platform/database/database.js';
import { BackupAttemptRow } from './backup-attempt.entity.js';
import type { AttemptEventName } from './backup-states.js';
import { attemptMove } from './backup-states.js';
import type { AttemptRef } from './backup.repository.js';
import { DB_NOW } from './backup.repository.js';

export const insertAttempt = async (tx: Tx, attempt: QueryDeepPartialEntity<BackupAttemptRow>): Promise<void> => {
  await tx.insert(BackupAttemptRow, attempt);
};

export const findAttempt = (tx: Tx, commandId: string): Promise<BackupAttemptRow | null> =>
  tx.findOneBy(BackupAttemptRow, { commandId });

export const attemptsOf = (tx: Tx, backupId: string): Promise<BackupAttemptRow[]> =>
  tx.find(BackupAttemptRow, { where: { backupId }, order: { fence: 'ASC' } });

export interface AttemptEnd {
  readonly errorCode?: ErrorCode;
  readonly errorMessage?: string;
  readonly steps?: readonly AttemptStep[];
  readonly logTail?: string;
}

/** Ends an attempt, once. @returns whether this call ended it */
export const endAttempt = async (tx: Tx, ref: AttemptRef, event: AttemptEventName, end: AttemptEnd): Promise<boolean> => {
  const { from, to } = attemptMove(event);
  const update = await tx
    .createQueryBuilder()
    .update(BackupAttemptRow)
    .set({ ...(end as QueryDeepPartialEntity<BackupAttemptRow>), state: to, endedAt: DB_NOW })
    .where('backup_id = :backupId AND fence = :fence AND state = :from', { ...ref, from })
    .execute();
  return update.affected === 1;
};

/** Keeps what an agent says about an attempt that has ended without its word (a cancel, the watchdog); the first word stays. */
export const keepLateWords = async (tx: Tx, ref: AttemptRef, words: Pick<AttemptEnd, 'steps' | 'logTail'>): Promise<void> => {
  await tx
    .createQueryBuilder()
    .update(BackupAttemptRow)
    .set(words as QueryDeepPartialEntity<BackupAttemptRow>)
    .where('backup_id = :backupId AND fence = :fence AND log_tail IS NULL', { ...ref })
    .execute();
};

export const addStep = async (tx: Tx, ref: AttemptRef, step: AttemptStep): Promise<void> => {
  await tx
    .createQueryBuilder()
    .update(BackupAttemptRow)
    .set({ steps: () => 'steps || :step::jsonb' })
    .where('backup_id = :backupId AND fence = :fence', { ...ref })
    .setParameter('step', JSON.stringify([step]))
    .execute();
};

/** Asks for the attempt's place in the storage to be emptied, again if need be. */
export const markUnclean = async (tx: Tx, ref: AttemptRef): Promise<void> => {
  await tx
    .createQueryBuilder()
    .update(BackupAttemptRow)
    .set({ cleanedAt: null })
    .where('backup_id = :backupId AND fence = :fence', { ...ref })
    .execute();
};
