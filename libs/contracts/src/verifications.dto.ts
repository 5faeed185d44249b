import { IsIn, IsOptional, IsUUID } from 'class-validator';
import type { AttemptStep, BackupProgressView, TableComparison } from './backups.dto.js';
import { PageQueryDto } from './pagination.dto.js';
import type { ConnectionState, VerificationLevel, VerificationStatus, VerificationTrigger } from './statuses.js';
import { VERIFICATION_LEVELS, VERIFICATION_STATUSES } from './statuses.js';

/** POST /v1/backups/history/:id/verify. */
export class VerifyDto {
  /** Default BASIC. */
  @IsOptional()
  @IsIn(VERIFICATION_LEVELS)
  verificationLevel?: VerificationLevel;
}

/** GET /v1/verifications. */
export class VerificationQueryDto extends PageQueryDto {
  @IsOptional()
  @IsIn(VERIFICATION_STATUSES)
  status?: VerificationStatus;

  @IsOptional()
  @IsUUID()
  backupId?: string;

  @IsOptional()
  @IsUUID()
  databaseId?: string;
}

export interface VerifyAnswer {
  readonly success: true;
  readonly status: 'sent_to_agent';
  readonly message: string;
  readonly verificationId: string;
}

export type VerificationVerdict = Exclude<VerificationStatus, 'PENDING'>;

export const VERIFICATION_CHECKS = [
  // BASIC
  'manifest',
  'keys',
  'objects',
  'checksums',
  'segments',
  'frames',
  'chain',
  // DATABASE
  'contents',
  'schema',
  'metadata',
  // FULL
  'server',
  'requirements',
  'restore',
  'row counts',
  'digests',
  'sequences',
  'cleanup',
] as const;
export type VerificationCheckName = (typeof VERIFICATION_CHECKS)[number];

export interface VerificationCheck {
  readonly name: VerificationCheckName;
  readonly result: 'passed' | 'failed' | 'skipped';
  /** What was found, as one sentence for a person. */
  readonly message: string;
  /** Counts, names, sizes: small, and never content of the database beyond names. */
  readonly evidence: Readonly<Record<string, unknown>>;
  readonly durationMs: number;
}

export interface VerificationView {
  readonly id: string;
  readonly backupId: string;
  readonly databaseId: string;
  readonly verificationLevel: VerificationLevel;
  readonly status: VerificationStatus;
  readonly trigger: VerificationTrigger;
  readonly connection: ConnectionState | null;
  /** Why it was skipped or failed. */
  readonly reason: string | null;
  readonly checks: readonly VerificationCheck[];
  readonly tables: readonly TableComparison[];
  readonly tablesTotal: number | null;
  readonly tablesEqual: number | null;
  readonly restoreMs: number | null;
  readonly progress: BackupProgressView | null;
  readonly startedAt: string;
  readonly completedAt: string | null;
  readonly durationMs: number | null;
  readonly steps: readonly AttemptStep[];
  readonly logTail: string | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
}
