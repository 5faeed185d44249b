import type { BackupType, Compression } from '@rahatback/contracts';
import type { PassphraseKek, SlotAgent } from '@rahatback/crypto';
import type { BackupSink } from '@rahatback/storage/agent';
import type { LoadedChain } from '../chain/load-chain.js';
import type { DumpFacts } from '../dump/dump-facts.js';
import type { ClientTools, DatabaseAccess, DatabaseEngine, ProbeResult } from '../engine/database-engine.js';
import type { Manifest } from '../manifest/manifest.js';
import type { ProcessRecord } from '../process/leftover.js';
import type { RunListener } from '../progress.js';

export interface BackupIdentity {
  readonly workspaceId: string;
  readonly databaseId: string;
  readonly backupId: string;
  readonly fence: number;
  readonly agentId: string;
  readonly chainId: string;
  readonly type: BackupType;
}

/** Who shall be able to read the backup, and who signs it. */
export interface BackupKeys {
  /** At least this agent. */
  readonly agents: readonly SlotAgent[];
  /** `age1…` of the workspace. */
  readonly recoveryRecipient: string;
  readonly passphrase: PassphraseKek | null;
  /** The agent's Ed25519 private key, raw base64 or PEM. */
  readonly signingPrivateKey: string;
}

export interface BackupRequest extends RunListener {
  readonly engine: DatabaseEngine;
  readonly access: DatabaseAccess;
  readonly tools: readonly ClientTools[];
  readonly sink: BackupSink;
  readonly identity: BackupIdentity;
  readonly keys: BackupKeys;
  readonly compression: Compression;
  /** What this backup may point into; null makes a full, whatever `identity.type` says must then be `full`. */
  readonly base: LoadedChain | null;
  /** Program and version, for the manifest. */
  readonly writer: string;
  readonly signal: AbortSignal;
  /** Told once the server has answered and before the dump starts. */
  readonly onStarted?: (started: { readonly probe: ProbeResult; readonly tool: string }) => void;
  readonly onSpawn?: (record: ProcessRecord) => void;
  readonly limits?: BackupLimits;
}

export interface BackupLimits {
  /** Plain bytes of a volume; default what fits into 64 GiB. */
  readonly volumeMaxPlainBytes?: number;
  /** How long the dump tool may write nothing; default 30 minutes. */
  readonly stallMs?: number;
}

export interface BackupResult {
  readonly manifest: Manifest;
  /** The published bytes and their SHA-256, hex. */
  readonly manifestBytes: Buffer;
  readonly manifestSha256: string;
  readonly facts: DumpFacts;
  /** Chunks of the dump that no base had. */
  readonly newChunks: number;
  /** What the dump tool said, redacted. */
  readonly logTail: string;
}
