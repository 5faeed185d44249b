import type { BackupType, Compression, DatabaseType } from '@rahatback/contracts';
import type { ObjectRecord } from '../volumes/encrypted-object.js';

/** Versions of the backup format. */
export const FORMAT_VERSION = 1;
export const ENCRYPTION_SUITE = 'AES256_GCM_HKDF_1MB';

export interface ManifestChain {
  readonly id: string;
  /** Backups that this one points into, in the index's order; empty for a full. */
  readonly links: readonly string[];
}

/** base64 Ed25519; the server's is there once it has accepted the backup. */
export interface ManifestSignatures {
  readonly agent: string;
  readonly server?: string;
}

/** Everything that is signed. It says nothing of the content: that is in the encrypted index. */
export interface ManifestBody {
  readonly format: number;
  /** Program that wrote it, for people. */
  readonly writer: string;
  readonly backupId: string;
  readonly workspaceId: string;
  readonly databaseId: string;
  readonly fence: number;
  readonly agentId: string;
  readonly engine: DatabaseType;
  readonly dumpFormat: string;
  readonly serverVersion: string;
  readonly tool: string;
  readonly type: BackupType;
  readonly chain: ManifestChain;
  readonly compression: Compression;
  readonly suite: typeof ENCRYPTION_SUITE;
  /** base64; tells a wrong key from damaged data before any data is read. */
  readonly commitment: string;
  readonly volumes: readonly ObjectRecord[];
  readonly index: ObjectRecord;
  /** Bytes of the dump before compression. */
  readonly dumpBytes: number;
  readonly startedAt: string;
  readonly completedAt: string;
}

export interface Manifest extends ManifestBody {
  readonly signatures: ManifestSignatures;
}
