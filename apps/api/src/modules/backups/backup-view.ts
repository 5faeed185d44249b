import type { AttemptView, BackupDetailView, BackupView, RestoreStatus, StorageType } from '@rahatback/contracts';
import type { BackupAttemptRow } from './backup-attempt.entity.js';
import type { BackupRow } from './backup.entity.js';

/** What a row needs from other tables to be shown. */
export interface BackupSurroundings {
  readonly storageType: StorageType;
  readonly agentOnline: boolean;
  readonly lastRestoreStatus: RestoreStatus | null;
  readonly lastRestoreAt: Date | null;
}

const rateOf = (bytes: number | null, durationMs: number | null): number | null =>
  bytes === null || durationMs === null || durationMs <= 0 ? null : Math.round((bytes * 1000) / durationMs);

const iso = (at: Date | null): string | null => at?.toISOString() ?? null;

/** An ended row keeps no progress and no connection: both speak of an agent at work. */
export const toBackupView = (backup: BackupRow, around: BackupSurroundings): BackupView => {
  const running = backup.status === 'running';
  const durationMs = backup.completedAt === null ? null : backup.completedAt.getTime() - backup.startedAt.getTime();
  return {
    id: backup.id,
    jobId: backup.jobId,
    databaseId: backup.databaseId,
    status: backup.status,
    backupType: backup.backupType,
    compression: backup.compression,
    storageType: around.storageType,
    connection: running ? (around.agentOnline ? 'connected' : 'lost') : null,
    startedAt: backup.startedAt.toISOString(),
    completedAt: iso(backup.completedAt),
    durationMs,
    sizeBytes: backup.sizeBytes,
    storedBytes: backup.storedBytes,
    bytesPerSecond: running ? (backup.progress?.bytesPerSecond ?? null) : rateOf(backup.sizeBytes, durationMs),
    chainId: backup.chainId,
    baseBackupId: backup.baseBackupId,
    progress: running ? backup.progress : null,
    errorCode: backup.errorCode,
    errorMessage: backup.errorMessage,
    verificationStatus: backup.verificationStatus,
    verificationLevel: backup.verificationLevel,
    verifiedAt: iso(backup.verifiedAt),
    measuredRestoreMs: backup.measuredRestoreMs,
    damage: backup.damage,
    deletingAt: iso(backup.deletingAt),
    lastRestoreStatus: around.lastRestoreStatus,
    lastRestoreAt: iso(around.lastRestoreAt),
  };
};

export const toAttemptView = (attempt: BackupAttemptRow): AttemptView => ({
  fence: attempt.fence,
  attempt: attempt.attempt,
  state: attempt.state,
  startedAt: attempt.startedAt.toISOString(),
  endedAt: iso(attempt.endedAt),
  steps: attempt.steps,
  logTail: attempt.logTail,
  errorCode: attempt.errorCode,
  errorMessage: attempt.errorMessage,
});

export const toBackupDetailView = (
  backup: BackupRow,
  around: BackupSurroundings,
  attempts: readonly BackupAttemptRow[],
): Omit<BackupDetailView, 'deletionError'> => ({ ...toBackupView(backup, around), attempts: attempts.map(toAttemptView) });
