import {
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  IsUUID,
  Length,
  Max,
  MaxLength,
  Min,
  ValidateIf,
} from 'class-validator';
import type { BackupType, Compression, ScheduleType, StorageType, VerificationLevel } from './statuses.js';
import { BACKUP_TYPES, SCHEDULE_TYPES, STORAGE_TYPES, VERIFICATION_LEVELS } from './statuses.js';

/** POST /v1/backups/jobs. Field names are those of the original clients. */
export class CreateJobDto {
  @IsUUID()
  databaseId: string;

  @IsString()
  @Length(1, 100)
  name: string;

  @IsOptional()
  @IsIn(SCHEDULE_TYPES)
  scheduleType?: ScheduleType;

  @IsOptional()
  @IsString()
  @MaxLength(200)
  cronExpression?: string;

  @IsOptional()
  @IsString()
  @MaxLength(100)
  timeZone?: string;

  @IsOptional()
  @IsObject()
  advancedScheduleConfig?: Record<string, unknown>;

  @IsOptional()
  @IsIn(BACKUP_TYPES)
  backupType?: BackupType;

  /** `true` means gzip and `false` none, as the original had it; left out means zstd. */
  @IsOptional()
  @IsIn([true, false, 'none', 'gzip', 'zstd'])
  compression?: boolean | Compression;

  /** True adds a passphrase slot; without it backups are still encrypted to the agent's and the recovery key. */
  @IsOptional()
  @IsBoolean()
  isEncrypted?: boolean;

  @ValidateIf((job: CreateJobDto) => job.isEncrypted === true || job.encryptionPassword !== undefined)
  @IsString()
  @MaxLength(1024)
  encryptionPassword?: string;

  @IsOptional()
  @IsBoolean()
  autoVerifyAfterBackup?: boolean;

  @IsOptional()
  @IsIn(VERIFICATION_LEVELS)
  verificationLevel?: VerificationLevel;

  @IsOptional()
  @IsIn(STORAGE_TYPES)
  storageType?: StorageType;

  @IsOptional()
  @IsString()
  @MaxLength(500)
  storagePath?: string;

  @IsOptional()
  @IsUUID()
  cloudStorageId?: string;

  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(36_500)
  retentionDays?: number;

  /** Hard limit of one run, default 180. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(10_080)
  timeLimitMinutes?: number;

  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(1000)
  maxChainLength?: number;

  @IsOptional()
  @IsBoolean()
  isActive?: boolean;
}

/** PATCH /v1/backups/jobs/:id. The database cannot change. */
export class UpdateJobDto {
  @IsOptional()
  @IsBoolean()
  autoVerifyAfterBackup?: boolean;

  @IsOptional()
  @IsIn(VERIFICATION_LEVELS)
  verificationLevel?: VerificationLevel;

  @IsOptional()
  @IsString()
  @Length(1, 100)
  name?: string;

  @IsOptional()
  @IsIn(SCHEDULE_TYPES)
  scheduleType?: ScheduleType;

  @IsOptional()
  @IsIn(BACKUP_TYPES)
  backupType?: BackupType;

  @IsOptional()
  @IsIn([true, false, 'none', 'gzip', 'zstd'])
  compression?: boolean | Compression;

  @IsOptional()
  @IsBoolean()
  isEncrypted?: boolean;

  @IsOptional()
  @IsString()
  @MaxLength(1024)
  encryptionPassword?: string;

  @IsOptional()
  @IsUUID()
  cloudStorageId?: string;

  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(36_500)
  retentionDays?: number;

  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(10_080)
  timeLimitMinutes?: number;

  @IsOptional()
  @IsBoolean()
  isActive?: boolean;
}

export interface JobView {
  readonly id: string;
  readonly databaseId: string;
  readonly name: string;
  readonly scheduleType: ScheduleType;
  readonly backupType: BackupType;
  readonly compression: Compression;
  readonly isEncrypted: boolean;
  readonly storageType: StorageType;
  readonly cloudStorageId: string;
  /** Set for a folder on the agent's own disk. */
  readonly storagePath: string | null;
  readonly autoVerifyAfterBackup: boolean;
  readonly verificationLevel: VerificationLevel | null;
  readonly retentionDays: number | null;
  readonly timeLimitMinutes: number;
  readonly maxChainLength: number;
  readonly isActive: boolean;
  readonly createdAt: string;
}
