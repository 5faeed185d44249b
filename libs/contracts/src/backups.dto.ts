import { IsIn, IsISO8601, IsOptional, IsUUID } from 'class-validator';
import { PageQueryDto } from './pagination.dto.js';
import type {
  BackupStatus,
  BackupType,
  Compression,
  ConnectionState,
  RestoreStatus,
  StorageType,
  VerificationLevel,
  VerificationStatus,
} from './statuses.js';
import { BACKUP_STATUSES, BACKUP_TYPES } from './statuses.js';

const VERIFICATION_FILTERS = ['PASSED', 'FAILED', 'none'] as const;

/** GET /v1/backups/history. */
export class HistoryQueryDto extends PageQueryDto {
  @IsOptional()
  @IsIn(BACKUP_STATUSES)
  status?: BackupStatus;

  @IsOptional()
  @IsUUID()
  databaseId?: string;

  @IsOptional()
  @IsUUID()
  jobId?: string;

  @IsOptional()
  @IsIn(BACKUP_TYPES)
  backupType?: BackupType;

  /** `none`: not judged yet. */
  @IsOptional()
  @IsIn(VERIFICATION_FILTERS)
  verificationStatus?: (typeof VERIFICATION_FILTERS)[number];

  @IsOptional()
  @IsISO8601()
  from?: string;

  @IsOptional()
  @IsISO8601()
  to?: string;
}

/** POST /v1/backups/jobs/:id/run. */
export type RunAnswer =
  | { readonly success: true; readonly status: 'sent_to_agent'; readonly message: string; readonly historyId: string }
  | { readonly success: false; readonly status: 'skipped'; readonly message: string; readonly historyId: string };

export interface AttemptStep {
  readonly name: string;
  readonly at: string;
  readonly detail?: string;
}

export interface AttemptView {
  readonly fence: number;
  readonly attempt: number;
  readonly state: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly steps: readonly AttemptStep[];
  /** The last lines of the dump tool's own output, secrets removed. */
  readonly logTail: string | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
}

export interface BackupProgressView {
  /** 0 to 100; an estimate until the dump has ended. */
  readonly progress: number;
  readonly currentStep: string;
  readonly bytesRead: number;
  readonly bytesStored: number;
  readonly bytesPerSecond: number;
  readonly etaSeconds: number | null;
}

export interface BackupView {
  readonly id: string;
  readonly jobId: string;
  readonly databaseId: string;
  readonly status: BackupStatus;
  readonly backupType: BackupType;
  readonly compression: Compression;
  readonly storageType: StorageType;
  readonly connection: ConnectionState | null;
  readonly startedAt: string;
  readonly completedAt: string | null;
  readonly durationMs: number | null;
  /** Bytes of the dump before compression. */
  readonly sizeBytes: number | null;
  /** Bytes added to the storage. */
  readonly storedBytes: number | null;
  readonly bytesPerSecond: number | null;
  readonly chainId: string | null;
  readonly baseBackupId: string | null;
  readonly progress: BackupProgressView | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  /** Of the newest verification that judged it; a skipped one does not replace a result. */
  readonly verificationStatus: VerificationStatus | null;
  readonly verificationLevel: VerificationLevel | null;
  readonly verifiedAt: string | null;
  /** What the last full verification's restore took: the measured part of the recovery time. */
  readonly measuredRestoreMs: number | null;
  /** Set when an object is known to be missing or altered; the sentence names it. */
  readonly damage: string | null;
  /** Set while it is being deleted; on an agent's own disk that lasts until the agent is online and has removed it. */
  readonly deletingAt: string | null;
  readonly lastRestoreStatus: RestoreStatus | null;
  readonly lastRestoreAt: string | null;
}

/** GET /v1/backups/history/:id. */
export interface BackupDetailView extends BackupView {
  /** Why it is not deleted yet: what its agent answered last. It is asked again. */
  readonly deletionError: { readonly code: string; readonly message: string } | null;
  readonly attempts: readonly AttemptView[];
}

export interface TableComparison {
  readonly schema: string;
  readonly table: string;
  readonly rows: number;
  readonly restoredRows: number;
  readonly equal: boolean;
}
