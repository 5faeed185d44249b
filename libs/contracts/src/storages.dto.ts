import { IsBoolean, IsIn, IsOptional, IsString, IsUrl, IsUUID, Length, Matches, MaxLength } from 'class-validator';
import type { StorageType } from './statuses.js';
import { STORAGE_TYPES } from './statuses.js';

/**
 * POST /v1/storages. `local` needs nothing but a name: it is a folder under the server's own storage root, named by `path`; with `agentId` it is a
 * folder on that agent's own disk, which its local policy must allow. `s3` needs endpoint or region, bucket and both keys.
 */
export class CreateStorageDto {
  @IsIn(STORAGE_TYPES)
  storageType: StorageType;

  @IsString()
  @Length(1, 100)
  name: string;

  @IsOptional()
  @IsBoolean()
  isDefault?: boolean;

  /** local: folder below the server's storage root, default `default`; with `agentId`: absolute, or below the agent's own backup folder. */
  @IsOptional()
  @IsString()
  @MaxLength(500)
  path?: string;

  /** local: whose disk it is. Left out: the server's. */
  @IsOptional()
  @IsUUID()
  agentId?: string;

  @IsOptional()
  @IsUrl({ require_tld: false, require_protocol: true, protocols: ['http', 'https'] })
  @MaxLength(500)
  s3Endpoint?: string;

  @IsOptional()
  @IsString()
  @Length(1, 100)
  s3Region?: string;

  @IsOptional()
  @Matches(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, { message: 's3Bucket must be 3 to 63 of a-z, 0-9, dot and hyphen' })
  s3Bucket?: string;

  @IsOptional()
  @IsString()
  @MaxLength(500)
  s3Prefix?: string;

  @IsOptional()
  @IsString()
  @Length(1, 200)
  s3AccessKeyId?: string;

  @IsOptional()
  @IsString()
  @Length(1, 500)
  s3SecretAccessKey?: string;

  @IsOptional()
  @IsBoolean()
  s3ForcePathStyle?: boolean;

  @IsOptional()
  @IsString()
  @MaxLength(50)
  s3StorageClass?: string;

  @IsOptional()
  @IsString()
  @MaxLength(50)
  s3Sse?: string;
}

/** PATCH /v1/storages/:id. The type cannot change; keys left out stay as they are. */
export class UpdateStorageDto {
  @IsOptional()
  @IsString()
  @Length(1, 100)
  name?: string;

  @IsOptional()
  @IsBoolean()
  isDefault?: boolean;

  @IsOptional()
  @IsString()
  @Length(1, 200)
  s3AccessKeyId?: string;

  @IsOptional()
  @IsString()
  @Length(1, 500)
  s3SecretAccessKey?: string;
}

/** Credentials are accepted in and never come out. */
export interface StorageView {
  readonly id: string;
  readonly storageType: StorageType;
  readonly name: string;
  readonly isDefault: boolean;
  /** Whose disk a `local` storage is on; null for the others. */
  readonly place: 'server' | 'agent' | null;
  readonly agentId: string | null;
  readonly path: string | null;
  readonly s3Endpoint: string | null;
  readonly s3Region: string | null;
  readonly s3Bucket: string | null;
  readonly s3Prefix: string | null;
  readonly s3ForcePathStyle: boolean;
  readonly hasCredentials: boolean;
  readonly createdAt: string;
}

export interface StorageTestAnswer {
  readonly success: boolean;
  readonly latencyMs: number;
  /** Each step of the probe: write, read back, list, delete. */
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly message?: string }[];
  readonly code?: string;
  readonly message?: string;
}
