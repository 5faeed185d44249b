import type { AttemptStep, BackupType, ErrorCode } from '@rahatback/contracts';
import type { QueryDeepPartialEntity } from 'typeorm';
import type { Tx } from '../../platform/database/database.js';
import { BackupAttemptRow, type ManifestFacts } from './backup-attempt.entity.js';
import type { AttemptEventName } from './backup-states.js';
import { attemptMove } from './backup-states.js';
import { removalIsUnderWay } from './agent-removal.repository.js';
import type { AttemptRef } from './backup.repository.js';
import { DB_NOW } from './backup.repository.js';

export const insertAttempt = async (tx: Tx, attempt: QueryDeepPartialEntity<BackupAttemptRow>): Promise<void> => {
  await tx.insert(BackupAttemptRow, attempt);
};

export const findAttempt = (tx: Tx, commandId: string): Promise<BackupAttemptRow | null> =>
  tx.findOneBy(BackupAttemptRow, { commandId });

export const attemptsOf = (tx: Tx, backupId: string): Promise<BackupAttemptRow[]> =>
  tx.find(BackupAttemptRow, { where: { backupId }, order: { fence: 'ASC' } });

/** The attempt that a row stands for now; null for a skipped one. */
export const currentAttempt = (tx: Tx, backup: { id: string; fence: number }): Promise<BackupAttemptRow | null> =>
  tx.findOneBy(BackupAttemptRow, { backupId: backup.id, fence: backup.fence });

export interface AttemptEnd {
  readonly errorCode?: ErrorCode;
  readonly errorMessage?: string;
  readonly steps?: readonly AttemptStep[];
  readonly logTail?: string;
}

/** The server's own step of an attempt: why it is a full backup although its job asks for less. */
export const PLAN_STEP = 'full backup';

/** What the agent says follows what the server has decided, and does not take its place. */
const afterPlan = (steps: readonly AttemptStep[] | undefined) => ({
  change:
    steps === undefined
      ? {}
      : { steps: () => `jsonb_path_query_array(steps, '$[*] ? (@.name == "${PLAN_STEP}")') || :agentSteps::jsonb` },
  parameters: steps === undefined ? {} : { agentSteps: JSON.stringify(steps) },
});

/** Ends an attempt, once. @returns whether this call ended it */
export const endAttempt = async (tx: Tx, ref: AttemptRef, event: AttemptEventName, end: AttemptEnd): Promise<boolean> => {
  const { from, to } = attemptMove(event);
  const { steps, ...rest } = end;
  const words = afterPlan(steps);
  const update = await tx
    .createQueryBuilder()
    .update(BackupAttemptRow)
    .set({ ...rest, ...words.change, state: to, endedAt: DB_NOW })
    .where('backup_id = :backupId AND fence = :fence AND state = :from', { ...ref, from, ...words.parameters })
    .execute();
  return update.affected === 1;
};

/** Remembers the one manifest of a running attempt. @returns false when the attempt has ended */
export const acceptForAttempt = async (tx: Tx, ref: AttemptRef, accepted: ManifestFacts): Promise<boolean> => {
  const update = await tx
    .createQueryBuilder()
    .update(BackupAttemptRow)
    .set({ accepted })
    .where(`backup_id = :backupId AND fence = :fence AND state = 'running' AND accepted IS NULL`, { ...ref })
    .execute();
  return update.affected === 1;
};

/** Keeps what an agent says about an attempt that has ended without its word (a cancel, the watchdog); the first word stays. */
export const keepLateWords = async (tx: Tx, ref: AttemptRef, words: Pick<AttemptEnd, 'steps' | 'logTail'>): Promise<void> => {
  const { steps, ...rest } = words;
  const said = afterPlan(steps);
  await tx
    .createQueryBuilder()
    .update(BackupAttemptRow)
    .set({ ...rest, ...said.change })
    .where('backup_id = :backupId AND fence = :fence AND log_tail IS NULL', { ...ref, ...said.parameters })
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

export interface UncleanAttempt extends AttemptRef {
  readonly workspaceId: string;
  readonly databaseId: string;
  readonly storageId: string;
  readonly backupType: BackupType;
  readonly endedAt: Date;
  readonly cleanedAt: Date | null;
}

/**
 * Ended attempts whose place was never emptied, and those emptied before the last URL given to them has run out: they are looked at once more.
 */
export const findUnclean = (tx: Tx, lookAgainAfterSeconds: number, limit: number): Promise<UncleanAttempt[]> =>
  tx.query<UncleanAttempt[]>(
    `SELECT a.backup_id AS "backupId", a.fence::float8 AS fence, a.workspace_id AS "workspaceId", b.database_id AS "databaseId",
            b.storage_id AS "storageId", b.backup_type AS "backupType", a.ended_at AS "endedAt", a.cleaned_at AS "cleanedAt"
     FROM backup_attempts a JOIN backups b ON b.id = a.backup_id
     WHERE a.state IN ('failed', 'cancelled', 'fenced')
       AND (a.cleaned_at IS NULL
            OR (a.ended_at BETWEEN clock_timestamp() - interval '7 days' AND clock_timestamp() - $1 * interval '1 second'
                AND a.cleaned_at < a.ended_at + $1 * interval '1 second'))
       AND NOT ${removalIsUnderWay('b.agent_id', 'a.backup_id', 'a.fence')}
     ORDER BY a.ended_at LIMIT $2`,
    [lookAgainAfterSeconds, limit],
  );

export const markCleaned = async (tx: Tx, ref: AttemptRef): Promise<void> => {
  await tx
    .createQueryBuilder()
    .update(BackupAttemptRow)
    .set({ cleanedAt: DB_NOW })
    .where(`backup_id = :backupId AND fence = :fence AND state IN ('failed', 'cancelled', 'fenced')`, { ...ref })
    .execute();
};
