import { IsIn, IsISO8601, IsOptional, IsString, IsUUID, Length, Matches } from 'class-validator';
import { PageQueryDto } from './pagination.dto.js';
import type { BackupStatus, BackupType, Compression, ConnectionState, RestoreStatus, StorageType } from './statuses.js';
import { BACKUP_STATUSES, BACKUP_TYPES } from './statuses.js';

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
  readonly lastRestoreStatus: RestoreStatus | null;
  readonly lastRestoreAt: string | null;
}

/** GET /v1/backups/history/:id. */
export interface BackupDetailView extends BackupView {
  readonly attempts: readonly AttemptView[];
}

/**
 * POST /v1/backups/history/:id/restore. Left out, the target name is made by the server: `<database>_restored_<time>`.
 * The database must not exist yet: a restore never writes into a live one.
 */
export class RestoreDto {
  @IsOptional()
  @IsString()
  @Length(1, 63)
  @Matches(/^[^\u0000\r\n]*$/, { message: 'targetDatabase must not hold line breaks' })
  targetDatabase?: string;
}

export interface RestoreAnswer {
  readonly success: true;
  readonly status: 'sent_to_agent';
  readonly message: string;
  readonly restoreHistoryId: string;
}

export interface TableComparison {
  readonly schema: string;
  readonly table: string;
  readonly rows: number;
  readonly restoredRows: number;
  readonly equal: boolean;
}

export interface RestoreView {
  readonly id: string;
  readonly backupId: string;
  readonly databaseId: string;
  readonly targetDatabase: string;
  readonly status: RestoreStatus;
  readonly connection: ConnectionState | null;
  readonly startedAt: string;
  readonly completedAt: string | null;
  readonly durationMs: number | null;
  readonly progress: BackupProgressView | null;
  readonly tablesTotal: number | null;
  readonly tablesEqual: number | null;
  readonly tables: readonly TableComparison[];
  readonly steps: readonly AttemptStep[];
  readonly logTail: string | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
}
