import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsOptional,
  IsString,
  IsUUID,
  MaxLength,
  ValidateNested,
} from 'class-validator';

/** GET /v1/backups/history/:id/download. */
export class DownloadQueryDto {
  /** Also the backups that this one points into. */
  @IsOptional()
  @Type(() => String)
  @IsString()
  chain?: string;
}

/** A tar of the stored objects and the recovery notes. The URL needs no log-in, takes Range, and ends at `expiresAt`. */
export interface DownloadAnswer {
  readonly url: string;
  readonly fileName: string;
  readonly sizeBytes: number;
  readonly expiresAt: string;
}

/** POST /v1/backups/history/:id/export. */
export interface ExportAnswer {
  readonly success: true;
  /** Where the plain dump lies on the agent's machine. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** One object that storage and history do not agree on. */
export interface CatalogueDifference {
  readonly kind: 'missing' | 'orphaned' | 'altered';
  readonly key: string;
  readonly backupId: string | null;
  /** What it means and what to do. */
  readonly message: string;
}

/** POST /v1/storages/:id/reconcile. */
export interface ReconcileAnswer {
  readonly storageId: string;
  readonly objectsChecked: number;
  readonly bytesChecked: number;
  readonly backupsChecked: number;
  readonly missing: number;
  readonly orphaned: number;
  readonly altered: number;
  /** The first 1,000. */
  readonly differences: readonly CatalogueDifference[];
}

/** Public keys as the recovery kit prints them; the private recovery identity is never sent. */
export class TrustedAgentDto {
  @IsUUID()
  agentId: string;

  /** Ed25519, base64 */
  @IsString()
  @MaxLength(100)
  signPublicKey: string;
}

/** POST /v1/storages/:id/import: history out of the manifests in a storage. */
export class ImportDto {
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(1000)
  @ValidateNested({ each: true })
  @Type(() => TrustedAgentDto)
  agents: TrustedAgentDto[];

  /** The old server's command-signing key as the kit prints it; with it the counter-signature is checked as well. */
  @IsOptional()
  @IsString()
  @MaxLength(100)
  serverPublicKey?: string;

  /** Only say what would be imported. */
  @IsOptional()
  @IsBoolean()
  dryRun?: boolean;
}

export interface ImportAnswer {
  readonly manifestsFound: number;
  readonly imported: number;
  readonly alreadyKnown: number;
  readonly databases: readonly {
    readonly databaseId: string;
    readonly name: string;
    readonly backups: number;
    readonly newest: string;
  }[];
  /** Manifests that were not trusted, or whose objects are not all there. */
  readonly refused: readonly { readonly key: string; readonly code: string; readonly message: string }[];
}
