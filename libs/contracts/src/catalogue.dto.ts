import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsOptional,
  IsUUID,
  Matches,
  ValidateNested,
} from 'class-validator';
import type { CommandState } from './statuses.js';

const BASE64_32 = /^[A-Za-z0-9+/]{43}=$/;

/** GET /v1/backups/history/:id/download. */
export class DownloadQueryDto {
  /** Also the backups that this one points into. */
  @IsOptional()
  @IsIn(['true', 'false', '1', '0'])
  chain?: string;
}

/** A tar of the stored objects and the recovery notes. The URL needs no log-in, takes Range, and ends at `expiresAt`. */
export interface DownloadAnswer {
  readonly url: string;
  readonly fileName: string;
  readonly sizeBytes: number;
  readonly expiresAt: string;
}

/** POST /v1/backups/history/:id/export: the agent writes the plain dump into its export folder. */
export interface ExportAnswer {
  readonly success: true;
  readonly status: 'sent_to_agent';
  readonly message: string;
  /** Ask GET /v1/backups/exports/:commandId how it goes. */
  readonly commandId: string;
}

/** GET /v1/backups/exports/:commandId. */
export interface ExportView {
  readonly commandId: string;
  readonly backupId: string;
  readonly agentId: string;
  readonly fileName: string;
  readonly state: CommandState;
  /** Where the plain dump lies on the agent's machine. */
  readonly path: string | null;
  readonly sizeBytes: number | null;
  /** hex */
  readonly sha256: string | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly requestedAt: string;
  readonly endedAt: string | null;
}

/** POST /v1/storages/:id/reconcile. */
export class ReconcileDto {
  /** Also read every volume and compare its SHA-256. Without it volumes are compared by their size. */
  @IsOptional()
  @IsBoolean()
  deep?: boolean;
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
  @Matches(BASE64_32, { message: 'signPublicKey must be 32 bytes in base64' })
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

  /** The old server's manifest-signing key as the kit prints it; with it the counter-signature is checked as well. */
  @IsOptional()
  @Matches(BASE64_32, { message: 'serverPublicKey must be 32 bytes in base64' })
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

/** GET /v1/workspace/trust: the public keys that prove this workspace's backups genuine. Print them with the recovery kit. */
export interface TrustAnswer {
  /** Ed25519, base64: counter-signs every manifest. */
  readonly serverPublicKey: string;
  readonly serverKeyId: string;
  readonly agents: readonly {
    readonly agentId: string;
    readonly deviceName: string;
    readonly signPublicKey: string;
    readonly fingerprint: string;
  }[];
}
