import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  IsUUID,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import type { AttemptStep, BackupProgressView, TableComparison } from './backups.dto.js';
import type { ConnectionState, RestoreMode, RestoreStatus, SwapState } from './statuses.js';
import { RESTORE_MODES } from './statuses.js';

const ONE_LINE = { message: '$property must not hold line breaks' };

/** One table, or a whole schema when `table` is left out. */
export class RestoreSelectionDto {
  @IsString()
  @Length(1, 63)
  schema: string;

  @IsOptional()
  @IsString()
  @Length(1, 63)
  table?: string;
}

/** The data key of a backup, sealed (HPKE) to the agent that restores: made by whoever holds the recovery identity. */
export class SealedKeyDto {
  @IsString()
  @MaxLength(200)
  enc: string;

  @IsString()
  @MaxLength(500)
  ciphertext: string;
}

/** What a restore and its preflight have in common. */
export class RestoreTargetDto {
  /**
   * Left out, the server makes the name: `<database>_restored_<time>`. The database must not exist yet: a restore never writes into a live one.
   */
  @IsOptional()
  @IsString()
  @Length(1, 63)
  @Matches(/^[^\u0000\r\n]*$/, ONE_LINE)
  targetDatabase?: string;

  /** Another database of the workspace whose server and agent take the copy; default: the one that was backed up. */
  @IsOptional()
  @IsUUID()
  targetDatabaseId?: string;

  /** `swap` puts the copy in the place of the live database once every table is proved equal. */
  @IsOptional()
  @IsIn(RESTORE_MODES)
  mode?: RestoreMode;

  /** Tables and schemas to restore; left out: everything. Not with `swap`. */
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(1000)
  @ValidateNested({ each: true })
  @Type(() => RestoreSelectionDto)
  selection?: RestoreSelectionDto[];
}

/** POST /v1/backups/history/:id/restore. */
export class RestoreDto extends RestoreTargetDto {
  /** `swap` only: the live database's name, typed by the person. */
  @IsOptional()
  @IsString()
  @MaxLength(63)
  confirmDatabase?: string;

  /** `swap` only: hours that the old database is kept for undo, default 24. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(720)
  undoHours?: number;

  /** `swap` only: seconds that open sessions get to end by themselves before they are cut, default 30; 0 refuses while there are any. */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(3600)
  drainSeconds?: number;

  /** Sessions that load at once; left out, the agent decides. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(16)
  parallelism?: number;

  /** For an agent that has no slot in this backup, when its maker is gone. */
  @IsOptional()
  @ValidateNested()
  @Type(() => SealedKeyDto)
  sealedKey?: SealedKeyDto;
}

/** POST /v1/restores/:id/swap, /undo and /discard: the name of the database that changes hands or goes, typed by the person. */
export class ConfirmDatabaseDto {
  @IsString()
  @MaxLength(63)
  confirmDatabase: string;
}

export interface RestoreAnswer {
  readonly success: true;
  readonly status: 'sent_to_agent';
  readonly message: string;
  readonly restoreHistoryId: string;
}

export const PREFLIGHT_SUBJECTS = [
  'backup',
  'connection',
  'version',
  'tools',
  'encoding',
  'roles',
  'extensions',
  'privileges',
  'space',
  'sessions',
  'target',
  'key',
  'selection',
] as const;
export type PreflightSubject = (typeof PREFLIGHT_SUBJECTS)[number];

/** `blocker`: the restore would fail; `warning`: it would succeed, with the difference that the sentence names. */
export interface PreflightFinding {
  readonly subject: PreflightSubject;
  readonly severity: 'ok' | 'warning' | 'blocker';
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** POST /v1/backups/history/:id/restore/preflight. */
export interface PreflightAnswer {
  /** No blocker. */
  readonly ready: boolean;
  readonly targetDatabase: string;
  readonly findings: readonly PreflightFinding[];
}

/** Public keys of an agent, and the six words under which other agents trust them. */
export interface AgentKeysView {
  readonly agentId: string;
  readonly deviceName: string;
  readonly fingerprint: string;
  /** Ed25519, base64 */
  readonly signPublicKey: string;
  /** X25519, base64 */
  readonly sealPublicKey: string;
}

/** GET /v1/backups/history/:id/keys, for which database the key is wanted. */
export class BackupKeysQueryDto {
  /** Default: the database that was backed up. */
  @IsOptional()
  @IsUUID()
  targetDatabaseId?: string;
}

/**
 * How somebody with the recovery identity gives a backup's key to an agent: open `keysFile`, then seal the data key (base64 text) by HPKE to
 * `receiver.sealPublicKey` under `binding`, and send it as `sealedKey` of the restore.
 */
export interface BackupKeysView {
  readonly backupId: string;
  /** The text of the newest keys file in the storage; all of it is ciphertext or public. */
  readonly keysFile: string;
  /** Made the backup and signed it: the receiver must trust its six words. */
  readonly maker: AgentKeysView;
  /** The agent that would restore. */
  readonly receiver: AgentKeysView;
  readonly binding: {
    readonly agentId: string;
    readonly purpose: 'backup-key';
    readonly subject: string;
    readonly version: number;
  };
}

export interface RestoreView {
  readonly id: string;
  readonly backupId: string;
  readonly databaseId: string;
  /** The database whose server took the copy; the same as `databaseId` unless it was another. */
  readonly targetDatabaseId: string;
  readonly targetDatabase: string;
  readonly mode: RestoreMode;
  readonly selection: readonly { readonly schema: string; readonly table: string | null }[];
  readonly status: RestoreStatus;
  readonly connection: ConnectionState | null;
  readonly startedAt: string;
  readonly completedAt: string | null;
  readonly durationMs: number | null;
  readonly progress: BackupProgressView | null;
  readonly tablesTotal: number | null;
  readonly tablesEqual: number | null;
  readonly tables: readonly TableComparison[];
  /** The database that a swap replaces; null for a restore that was made beside. */
  readonly liveDatabase: string | null;
  readonly swapState: SwapState | null;
  /** Under which name the old database is kept, while it is. */
  readonly retiredDatabase: string | null;
  readonly undoUntil: string | null;
  readonly steps: readonly AttemptStep[];
  readonly logTail: string | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
}
