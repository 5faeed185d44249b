import 'reflect-metadata';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, Matches, Max, Min } from 'class-validator';
import { PageQueryDto } from './pagination.dto.js';

/** GET /v1/audit. */
export class AuditQueryDto extends PageQueryDto {}

export interface AuditView {
  readonly id: string;
  readonly at: string;
  readonly actorType: 'user' | 'agent' | 'system' | 'anonymous';
  readonly actorId: string | null;
  readonly action: string;
  readonly targetType: string | null;
  readonly targetId: string | null;
  readonly outcome: 'success' | 'failure';
  readonly ip: string | null;
  /** The name of the API token that did it for its maker; null where the person did it themselves. */
  readonly apiToken: string | null;
  /** Its place in the workspace's chain, from 1. Null for some seconds, until the row is chained. */
  readonly sequence: number | null;
  readonly hash: string | null;
}

/** GET /v1/audit/verify. With both members the chain must also hold the row of a checkpoint that the caller kept. */
export class AuditVerifyQueryDto {
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  sequence?: number;

  @IsOptional()
  @Matches(/^[0-9a-f]{64}$/)
  hash?: string;
}

/** What the server signed: at this moment the chain of this workspace ended with this row. Kept outside, it shows a tail that was cut. */
export interface AuditCheckpoint {
  readonly workspaceId: string;
  readonly sequence: number;
  readonly hash: string;
  /** UTC to the microsecond, `2026-01-31T12:00:00.123456Z`. */
  readonly at: string;
  readonly keyId: string;
  /** Ed25519, base64: over `rahatback/1 audit-checkpoint`, a zero byte, and the canonical JSON (RFC 8785) of the other members. */
  readonly signature: string;
}

/** GET /v1/audit/checkpoint: the newest one. */
export interface AuditCheckpointAnswer {
  readonly checkpoint: AuditCheckpoint;
  /** The raw 32 bytes in base64. Write it down once: a key that comes with what it signs proves nothing. */
  readonly publicKey: string;
}

/**
 * - `row_changed`: the row is not what was hashed, or stands in another's place
 * - `row_missing`: no row has this place
 * - `row_unexpected`: a second row for a place
 * - `link_broken`: the row does not follow the one before it
 * - `tail_missing`: a signed checkpoint names a row after the last one
 * - `checkpoint_mismatch`: a signed checkpoint names another row for this place: the rows up to here were written anew
 * - `checkpoint_forged`: the server did not sign this checkpoint
 */
export type AuditBreakReason =
  'row_changed' | 'row_missing' | 'row_unexpected' | 'link_broken' | 'tail_missing' | 'checkpoint_mismatch' | 'checkpoint_forged';

export interface AuditBreak {
  readonly sequence: number;
  /** The row at that place; null where there is none. */
  readonly id: string | null;
  readonly reason: AuditBreakReason;
}

/** GET /v1/audit/verify. `checkpoints` are those that were reached and checked. */
export interface AuditVerification {
  readonly rows: number;
  readonly chained: number;
  readonly unchained: number;
  readonly ok: boolean;
  readonly brokenAt: AuditBreak | null;
  readonly checkpoints: number;
}
