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
import type { DatabaseType, TlsMode } from './statuses.js';
import { DATABASE_TYPES, TLS_MODES } from './statuses.js';

/** NUL and line breaks can never be part of a name, host or user; everything else that PostgreSQL allows is legal. */
const NO_BREAKS = /^[^\u0000\r\n]*$/;

/** POST /v1/databases/test-connection and the fields of POST /v1/databases. */
export class DatabaseConnectionDto {
  @IsIn(DATABASE_TYPES)
  type: DatabaseType;

  /** As the agent sees it: usually `localhost`. A path means a Unix socket folder. */
  @IsString()
  @Length(1, 255)
  @Matches(/^(?!-)[A-Za-z0-9_.:\-/[\]%]+$/, { message: 'host must be a name, an address or a socket folder' })
  host: string;

  @IsInt()
  @Min(1)
  @Max(65_535)
  port: number;

  @IsString()
  @Length(1, 63)
  @Matches(NO_BREAKS, { message: 'username must not hold line breaks' })
  username: string;

  @IsOptional()
  @IsString()
  @MaxLength(1024)
  @Matches(NO_BREAKS, { message: 'password must not hold line breaks' })
  password?: string;

  @IsString()
  @Length(1, 63)
  @Matches(NO_BREAKS, { message: 'database must not hold line breaks' })
  database: string;

  @IsOptional()
  @IsIn(TLS_MODES)
  tlsMode?: TlsMode;

  /** PEM of the certificate authority, for verify-ca and verify-full. */
  @IsOptional()
  @IsString()
  @MaxLength(100_000)
  tlsCa?: string;

  /** Left out: an online agent of the workspace is picked; none online is 400 NO_AGENT_ONLINE. */
  @IsOptional()
  @IsUUID()
  agentId?: string;
}

export class CreateDatabaseDto extends DatabaseConnectionDto {
  @IsString()
  @Length(1, 100)
  name: string;
}

export class UpdateDatabaseDto {
  @IsOptional()
  @IsString()
  @Length(1, 100)
  name?: string;

  @IsOptional()
  @IsString()
  @Length(1, 255)
  @Matches(/^(?!-)[A-Za-z0-9_.:\-/[\]%]+$/)
  host?: string;

  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(65_535)
  port?: number;

  @IsOptional()
  @IsString()
  @Length(1, 63)
  @Matches(NO_BREAKS)
  username?: string;

  @IsOptional()
  @IsString()
  @MaxLength(1024)
  @Matches(NO_BREAKS)
  password?: string;

  @IsOptional()
  @IsString()
  @Length(1, 63)
  @Matches(NO_BREAKS)
  database?: string;

  @IsOptional()
  @IsIn(TLS_MODES)
  tlsMode?: TlsMode;

  @IsOptional()
  @IsString()
  @MaxLength(100_000)
  tlsCa?: string;
}

export class JobPassphraseDto {
  @IsUUID()
  jobId: string;

  @IsString()
  @Length(1, 1024)
  encryptionPassword: string;
}

/**
 * POST /v1/databases/:id/rebind: another agent takes the database over, after the first one was lost or the database has moved. What was sealed to
 * the first one is typed again, because nobody else can open it.
 */
export class RebindDatabaseDto {
  @IsUUID()
  agentId: string;

  /** Needed when the database has a password; an empty one takes it away. */
  @IsOptional()
  @IsString()
  @MaxLength(1024)
  @Matches(NO_BREAKS, { message: 'password must not hold line breaks' })
  password?: string;

  /** Where the new agent finds the database; left out: as before. */
  @IsOptional()
  @IsString()
  @Length(1, 255)
  @Matches(/^(?!-)[A-Za-z0-9_.:\-/[\]%]+$/, { message: 'host must be a name, an address or a socket folder' })
  host?: string;

  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(65_535)
  port?: number;

  /** For every job of the database that has a passphrase. */
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(100)
  @ValidateNested({ each: true })
  @Type(() => JobPassphraseDto)
  passphrases?: JobPassphraseDto[];
}

export interface DatabaseView {
  readonly id: string;
  readonly name: string;
  readonly type: DatabaseType;
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly database: string;
  readonly tlsMode: TlsMode;
  readonly hasPassword: boolean;
  readonly agentId: string;
  readonly serverVersion: string | null;
  readonly createdAt: string;
}

/** Answer of test-connection; `success: false` carries a code and a sentence, with HTTP 200, as the original did. */
export interface ConnectionTestAnswer {
  readonly success: boolean;
  readonly serverVersion?: string;
  readonly latencyMs?: number;
  /** The client tools that would be used, e.g. `pg_dump 15.20`. */
  readonly clientTool?: string;
  readonly compatible?: boolean;
  readonly code?: string;
  readonly message?: string;
  readonly agentId: string;
}
