import type { ToolVersion } from './agents.dto.js';
import type { ErrorBody } from './errors.js';
import type { Result } from './result.js';
import type { AttemptStep, BackupProgressView, TableComparison } from './backups.dto.js';
import type { BackupType, CommandState, Compression, DatabaseType, TlsMode } from './statuses.js';

/**
 * What crosses the one outbound connection of an agent: Socket.IO namespace `/agent`.
 * Unknown fields are ignored on both sides; every acknowledgement is a Result.
 *
 * Handshake: server emits `agent:challenge`; the agent answers `agent:register` (signed) within 5 s or is cut; then it sends `agent:journal`,
 * re-sends results that the server has not confirmed, and the server dispatches what is queued.
 */
export const AGENT_NAMESPACE = '/agent';
export const AGENT_PROTOCOL = 1;
export const AGENT_PROTOCOL_MIN = 1;

export interface AgentChallenge {
  readonly nonce: string;
  readonly serverId: string;
  readonly serverTime: string;
  readonly minProtocol: number;
  readonly maxProtocol: number;
}

export interface RegisterMessage {
  readonly agentId: string;
  readonly deviceName: string;
  readonly platform: string;
  readonly version: string;
  readonly protocol: number;
  readonly tools: readonly ToolVersion[];
  /** The session generation that the agent holds; one older than the last confirmed means a cloned key or a rolled-back machine. */
  readonly generation: number;
  /** Ed25519 (base64) over `sessionProofBytes({serverId, agentId, nonce, generation})`. */
  readonly signature: string;
}

export interface RegisterAnswer {
  readonly generation: number;
  readonly serverTime: string;
  readonly heartbeatIntervalMs: number;
  readonly leaseMs: number;
}

/** A secret sealed (HPKE) to the agent's key; AAD = canonical JSON of {agentId, purpose, subject, version}. */
export interface SealedSecret {
  readonly ref: string;
  readonly purpose: 'database-password' | 'passphrase-kek';
  readonly subject: string;
  readonly version: number;
  readonly enc: string;
  readonly ciphertext: string;
}

export const COMMAND_TYPES = ['database:test', 'job:execute', 'job:cancel', 'restore:execute', 'restore:cancel'] as const;
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
  readonly timeLimitMs: number;
}

export interface CancelPayload {
  readonly targetCommandId: string;
}

export interface RestorePayload {
  readonly restoreId: string;
  /** The backup to restore, then the links that it points into, if any. */
  readonly backup: BackupLocation;
  readonly links: readonly BackupLocation[];
  readonly connection: Connection;
  readonly targetDatabase: string;
  readonly timeLimitMs: number;
}

export interface CommandPayloads {
  'database:test': DatabaseTestPayload;
  'job:execute': BackupPayload;
  'job:cancel': CancelPayload;
  'restore:execute': RestorePayload;
  'restore:cancel': CancelPayload;
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

/** The signature covers the raw characters of `body`, which is the canonical JSON of a CommandEnvelope. */
export interface SignedCommand {
  readonly body: string;
  readonly signature: string;
  readonly keyId: string;
}

/** The agent's answer to a command: journalled and fsynced before it is sent. A repeated commandId is answered with its recorded state. */
export interface CommandReceipt {
  readonly commandId: string;
  readonly state: CommandState;
}

export interface JournalEntry {
  readonly commandId: string;
  readonly type: CommandType;
  readonly state: CommandState;
  readonly resource: string;
  readonly fence: number;
}

/** Which commands the agent may forget because the server has their results. */
export interface JournalAnswer {
  readonly forget: readonly string[];
}

export interface Heartbeat {
  readonly running: readonly { readonly commandId: string; readonly resource: string; readonly fence: number }[];
}

export interface HeartbeatAnswer {
  readonly serverTime: string;
  /** Commands that the server no longer wants: fenced off, cancelled or ended. The agent stops them. */
  readonly stop: readonly string[];
}

/** What every report of a command carries. */
export interface ReportBase {
  readonly commandId: string;
  readonly fence: number;
}

export interface DatabaseTestResult extends ReportBase {
  readonly success: boolean;
  readonly serverVersion?: string;
  readonly latencyMs?: number;
  readonly clientTool?: string;
  readonly compatible?: boolean;
  readonly error?: ErrorBody;
}

export interface StartedReport extends ReportBase {
  readonly at: string;
  readonly clientTool: string;
  readonly serverVersion: string;
}

export interface ProgressReport extends ReportBase, BackupProgressView {}

export interface BackupCompletedReport extends ReportBase {
  readonly backupId: string;
  readonly manifestSha256: string;
  readonly steps: readonly AttemptStep[];
  readonly logTail: string;
}

export interface FailedReport extends ReportBase {
  readonly error: ErrorBody;
  readonly steps: readonly AttemptStep[];
  readonly logTail: string;
}

export interface RestoreCompletedReport extends ReportBase {
  readonly restoreId: string;
  readonly targetDatabase: string;
  readonly tables: readonly TableComparison[];
  readonly bytesRestored: number;
  readonly steps: readonly AttemptStep[];
  readonly logTail: string;
}

/** Uploads. `object` is `data-00001`, `index`, `keys-1.json` or `manifest.json`, relative to the attempt's folder. */
export interface UploadBegin extends ReportBase {
  readonly object: string;
}

export interface UploadBeginAnswer {
  readonly partSizeBytes: number;
  readonly maxParts: number;
}

export interface UploadPart extends ReportBase {
  readonly object: string;
  readonly partNumber: number;
  readonly sizeBytes: number;
  /** hex */
  readonly sha256: string;
  /** base64 */
  readonly md5: string;
}

export interface SignedRequest {
  readonly method: 'PUT' | 'GET';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly expiresAt: string;
}

export interface UploadComplete extends ReportBase {
  readonly object: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly parts: readonly {
    readonly partNumber: number;
    readonly sizeBytes: number;
    readonly sha256: string;
    readonly md5: string;
    readonly etag: string;
  }[];
}

/**
 * Small objects go through the server, which writes them only if absent. `manifest.json` is the commit point: the server checks the agent's
 * signature and its own records, counter-signs, publishes, and settles the backup row; the same bytes again are answered the same.
 */
export interface UploadPublish extends ReportBase {
  readonly object: string;
  /** base64, at most 256 KiB of content */
  readonly content: string;
}

export interface UploadPublishAnswer {
  readonly sha256: string;
}

/** Opens one stored object for reading, for a restore or to read a chain's base. The URL accepts Range. */
export interface DownloadOpen extends ReportBase {
  readonly location: BackupLocation;
  readonly object: string;
}

export interface DownloadOpenAnswer {
  readonly sizeBytes: number;
  readonly request: SignedRequest;
}

type Ack<T> = (result: Result<T>) => void;
export interface Confirmed {
  readonly confirmed: true;
}

export interface AgentToServerEvents {
  'agent:register': (message: RegisterMessage, ack: Ack<RegisterAnswer>) => void;
  'agent:journal': (entries: readonly JournalEntry[], ack: Ack<JournalAnswer>) => void;
  heartbeat: (message: Heartbeat, ack: Ack<HeartbeatAnswer>) => void;
  'database:test:result': (message: DatabaseTestResult, ack: Ack<Confirmed>) => void;
  'backup:started': (message: StartedReport, ack: Ack<Confirmed>) => void;
  'backup:progress': (message: ProgressReport) => void;
  'backup:completed': (message: BackupCompletedReport, ack: Ack<Confirmed>) => void;
  'backup:failed': (message: FailedReport, ack: Ack<Confirmed>) => void;
  'restore:started': (message: StartedReport, ack: Ack<Confirmed>) => void;
  'restore:progress': (message: ProgressReport) => void;
  'restore:completed': (message: RestoreCompletedReport, ack: Ack<Confirmed>) => void;
  'restore:failed': (message: FailedReport, ack: Ack<Confirmed>) => void;
  'command:refused': (message: ReportBase & { readonly error: ErrorBody }, ack: Ack<Confirmed>) => void;
  'upload:begin': (message: UploadBegin, ack: Ack<UploadBeginAnswer>) => void;
  'upload:part': (message: UploadPart, ack: Ack<SignedRequest>) => void;
  'upload:complete': (message: UploadComplete, ack: Ack<Confirmed>) => void;
  'upload:publish': (message: UploadPublish, ack: Ack<UploadPublishAnswer>) => void;
  'upload:abort': (message: ReportBase, ack: Ack<Confirmed>) => void;
  'download:open': (message: DownloadOpen, ack: Ack<DownloadOpenAnswer>) => void;
}

export type CommandEvents = { [T in CommandType]: (command: SignedCommand, ack: Ack<CommandReceipt>) => void };

export interface ServerToAgentEvents extends CommandEvents {
  'agent:challenge': (challenge: AgentChallenge) => void;
  /** The agent was revoked or fenced by a newer session: stop and do not reconnect (revoked), or reconnect later. */
  'agent:cut': (reason: ErrorBody) => void;
}
