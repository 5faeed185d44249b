import type { BackupType, Compression, DatabaseType, TlsMode, VerificationLevel } from './statuses.js';

/** A secret sealed (HPKE) to the agent's key; AAD = canonical JSON of {agentId, purpose, subject, version}. */
export interface SealedSecret {
  readonly ref: string;
  readonly purpose: 'database-password' | 'passphrase-kek' | 'backup-key';
  readonly subject: string;
  readonly version: number;
  readonly enc: string;
  readonly ciphertext: string;
}

export const COMMAND_TYPES = [
  'database:test',
  'job:execute',
  'job:cancel',
  'restore:execute',
  'restore:cancel',
  'restore:preflight',
  'restore:swap',
  'restore:undo',
  'restore:discard',
  'verification:execute',
  'verification:cancel',
  'keys:rewrap',
  'backup:delete',
  'backup:export',
] as const;
export type CommandType = (typeof COMMAND_TYPES)[number];

export interface Connection {
  readonly type: DatabaseType;
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly database: string;
  readonly tlsMode: TlsMode;
  readonly tlsCa: string | null;
  /** `ref` of the sealed password, null when the database needs none. */
  readonly passwordRef: string | null;
}

export interface DatabaseTestPayload {
  readonly connection: Connection;
}

/** Where one attempt's objects stand: `<workspace>/<database>/<backup>/<fence>`, below the storage's own prefix. */
export interface BackupLocation {
  readonly backupId: string;
  readonly fence: number;
  readonly backupType: BackupType;
  readonly workspaceId: string;
  readonly databaseId: string;
}

/** The agent whose signature a manifest bears, where it is not the one that reads it. The reader decides whether it trusts that key. */
export interface SigningAgent {
  readonly agentId: string;
  /** Ed25519, base64 */
  readonly signPublicKey: string;
  /** X25519, base64: with it the reader computes the six words under which a person trusted that agent. */
  readonly sealPublicKey: string;
}

/**
 * What a command reads: one backup and the links that it points into.
 * `agentPath` is the folder on the agent's own disk where they stand; null when the server gives them out by signed URL.
 * `keyRef` names a sealed data key (base64 of 32 bytes, purpose `backup-key`) for an agent that has no slot in the keys file.
 */
export interface BackupToRead {
  readonly backup: BackupLocation;
  readonly links: readonly BackupLocation[];
  readonly agentPath: string | null;
  readonly keyRef: string | null;
  readonly signedBy: SigningAgent | null;
}

export interface PassphraseSlot {
  /** base64 */
  readonly salt: string;
  readonly memoryKib: number;
  readonly passes: number;
  readonly parallelism: number;
  readonly kekRef: string;
}

export interface BackupPayload {
  readonly location: BackupLocation;
  readonly jobId: string;
  readonly attempt: number;
  readonly connection: Connection;
  readonly compression: Compression;
  readonly recoveryRecipient: string;
  readonly passphrase: PassphraseSlot | null;
  /** A new chain's id, or the chain that `base` belongs to. */
  readonly chainId: string;
  /** incremental: every link of the chain, oldest first; differential: its full only; empty: this backup is a full. */
  readonly base: readonly BackupLocation[];
  /** A folder on the agent's own disk, allowed by its local policy; null: the objects go where the server signs URLs for. */
  readonly agentPath: string | null;
  readonly timeLimitMs: number;
}

export interface CancelPayload {
  readonly targetCommandId: string;
}

/** One table (`table`) or everything in a schema (`table` null) out of a backup. */
export interface RestoreSelection {
  readonly schema: string;
  readonly table: string | null;
}

export interface RestorePayload extends BackupToRead {
  readonly restoreId: string;
  readonly connection: Connection;
  readonly targetDatabase: string;
  /** Empty: everything. */
  readonly selection: readonly RestoreSelection[];
  /** Sessions that load at once, 1 to 16; the agent takes fewer when the machine has no room. */
  readonly parallelism: number;
  readonly timeLimitMs: number;
}

export interface PreflightPayload extends BackupToRead {
  readonly connection: Connection;
  readonly targetDatabase: string;
  /** The database that a swap would replace; null for a restore beside. */
  readonly liveDatabase: string | null;
  readonly selection: readonly RestoreSelection[];
}

/** Both names are changed in one transaction: live becomes retired, restored becomes live. Undo is the same with the names turned. */
export interface SwapPayload {
  readonly restoreId: string;
  readonly connection: Connection;
  readonly liveDatabase: string;
  readonly restoredDatabase: string;
  readonly retiredDatabase: string;
  /** How long to wait for sessions to end by themselves before they are terminated; 0 refuses a busy database. */
  readonly drainMs: number;
}

/** Drops the database that a swap retired, or that an undo put aside; only one that bears this restore's mark. */
export interface DiscardPayload {
  readonly restoreId: string;
  readonly connection: Connection;
  readonly database: string;
}

export interface VerificationPayload extends BackupToRead {
  readonly verificationId: string;
  readonly level: VerificationLevel;
  readonly databaseType: DatabaseType;
  readonly timeLimitMs: number;
}

/** Seals the data key of one backup's chain to another agent of the workspace, if a person has trusted that one on the sealing machine. */
export interface RewrapPayload extends BackupToRead {
  readonly forAgentId: string;
  /** Ed25519, base64: with the other key it makes the six words that must be trusted. */
  readonly signPublicKey: string;
  /** X25519, base64 */
  readonly sealPublicKey: string;
}

/** Agent-local storage: removes one attempt's folder, manifest first. */
export interface DeletePayload {
  readonly location: BackupLocation;
  readonly agentPath: string;
}

/** Writes the plain dump into the agent's export folder. */
export interface ExportPayload extends BackupToRead {
  /** File name without a path; must not exist. */
  readonly fileName: string;
  readonly timeLimitMs: number;
}

export interface CommandPayloads {
  'database:test': DatabaseTestPayload;
  'job:execute': BackupPayload;
  'job:cancel': CancelPayload;
  'restore:execute': RestorePayload;
  'restore:cancel': CancelPayload;
  'restore:preflight': PreflightPayload;
  'restore:swap': SwapPayload;
  'restore:undo': SwapPayload;
  'restore:discard': DiscardPayload;
  'verification:execute': VerificationPayload;
  'verification:cancel': CancelPayload;
  'keys:rewrap': RewrapPayload;
  'backup:delete': DeletePayload;
  'backup:export': ExportPayload;
}

export interface CommandEnvelope<T extends CommandType = CommandType> {
  readonly protocol: number;
  readonly commandId: string;
  readonly agentId: string;
  readonly workspaceId: string;
  readonly sequence: number;
  readonly type: T;
  readonly issuedAt: string;
  readonly expiresAt: string;
  /** What the fence guards, e.g. `backup:<jobId>`; an agent refuses a fence below the highest it has seen for the resource. */
  readonly resource: string;
  readonly fence: number;
  readonly payload: CommandPayloads[T];
  readonly sealed: readonly SealedSecret[];
}
