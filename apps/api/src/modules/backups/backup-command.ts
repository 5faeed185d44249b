import type { BackupPayload, SealedSecret } from '@rahatback/contracts';
import { connectionOf, type DatabaseRow } from '../databases/index.js';
import type { JobRow } from '../jobs/index.js';
import type { ChainPlan } from './backup-chain.js';

export interface BackupOrder {
  readonly backupId: string;
  readonly fence: number;
  readonly job: JobRow;
  readonly database: DatabaseRow;
  readonly plan: ChainPlan;
  readonly recoveryRecipient: string;
}

export const backupPayload = ({ backupId, fence, job, database, plan, recoveryRecipient }: BackupOrder): BackupPayload => ({
  location: { backupId, fence, backupType: plan.backupType, workspaceId: job.workspaceId, databaseId: database.id },
  jobId: job.id,
  attempt: 1,
  connection: connectionOf(database),
  compression: job.compression,
  recoveryRecipient,
  passphrase:
    job.passphrase === null
      ? null
      : {
          salt: job.passphrase.salt,
          memoryKib: job.passphrase.memoryKib,
          passes: job.passphrase.passes,
          parallelism: job.passphrase.parallelism,
          kekRef: job.passphrase.kek.ref,
        },
  chainId: plan.chainId,
  base: plan.base,
  agentPath: job.storagePath,
  timeLimitMs: job.timeLimitMinutes * 60_000,
});

export const backupSecrets = ({ job, database }: Pick<BackupOrder, 'job' | 'database'>): readonly SealedSecret[] =>
  [database.password, job.passphrase?.kek].filter((secret) => secret != null);

/** The same order for the next attempt: only the place it writes to is new. */
export const nextAttemptPayload = (payload: BackupPayload, fence: number, remainingMs: number): BackupPayload => ({
  ...payload,
  location: { ...payload.location, fence },
  attempt: payload.attempt + 1,
  timeLimitMs: Math.max(1, Math.min(payload.timeLimitMs, remainingMs)),
});
