import type { ToolVersion } from './agents.dto.js';
import type { ErrorBody } from './errors.js';
import type { Result } from './result.js';
import type { BackupLocation, CommandType, SealedSecret } from './agent-commands.js';
import type { AttemptStep, BackupProgressView, TableComparison } from './backups.dto.js';
import type { PreflightFinding } from './restores.dto.js';
import type { CommandState } from './statuses.js';
import type { VerificationCheck, VerificationVerdict } from './verifications.dto.js';

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

/** A link of the chain that could not be built on, because an object of it is missing or damaged: a full was made instead. */
export interface BrokenLink {
  readonly backupId: string;
  /** Names the object. */
  readonly message: string;
}

export interface BackupCompletedReport extends ReportBase {
  readonly backupId: string;
  readonly manifestSha256: string;
  readonly brokenLink?: BrokenLink;
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

/** `status` tells a bad backup (FAILED) from one that could not be judged (SKIPPED, with `reason`). */
export interface VerificationCompletedReport extends ReportBase {
  readonly verificationId: string;
  readonly status: VerificationVerdict;
  readonly reason: string | null;
  readonly checks: readonly VerificationCheck[];
  /** Those that fit into one frame, differing ones first. */
  readonly tables: readonly TableComparison[];
  readonly tablesTotal: number | null;
  readonly tablesEqual: number | null;
  /** What the restore of a FULL verification took, from CREATE DATABASE to the last index; null otherwise. */
  readonly restoreMs: number | null;
  readonly steps: readonly AttemptStep[];
  readonly logTail: string;
}

/** The answer to a short command (`restore:preflight`, `restore:swap` …): what its row says, or why it failed. */
export interface PreflightResult extends ReportBase {
  readonly findings: readonly PreflightFinding[];
  readonly error?: ErrorBody;
}

export interface SwapResult extends ReportBase {
  readonly restoreId: string;
  readonly liveDatabase: string;
  readonly retiredDatabase: string;
  readonly drainedSessions: number;
  readonly error?: ErrorBody;
}

export interface DiscardResult extends ReportBase {
  readonly restoreId: string;
  readonly error?: ErrorBody;
}

export interface RewrapResult extends ReportBase {
  /** Purpose `backup-key`, sealed to the agent that was named. */
  readonly sealed?: SealedSecret;
  readonly error?: ErrorBody;
}

export interface DeleteResult extends ReportBase {
  readonly error?: ErrorBody;
}

export interface ExportResult extends ReportBase {
  /** Where it lies on the agent's machine. */
  readonly path?: string;
  readonly sizeBytes?: number;
  /** hex */
  readonly sha256?: string;
  readonly error?: ErrorBody;
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

export interface UploadCompleteAnswer extends Confirmed {
  /** As in DownloadOpenAnswer; absent when the completion had been confirmed before. */
  readonly stamp?: string;
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
  /** Agent-local storage only: the counter-signed bytes (base64), which the agent writes last. */
  readonly content?: string;
}

/** Opens one stored object for reading, for a restore or to read a chain's base. The URL accepts Range. */
export interface DownloadOpen extends ReportBase {
  readonly location: BackupLocation;
  readonly object: string;
}

export interface DownloadOpenAnswer {
  readonly sizeBytes: number;
  readonly request: SignedRequest;
  /** Opaque; another one as soon as the object was written anew. */
  readonly stamp?: string;
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
  'restore:preflight:result': (message: PreflightResult, ack: Ack<Confirmed>) => void;
  'restore:swap:result': (message: SwapResult, ack: Ack<Confirmed>) => void;
  'restore:undo:result': (message: SwapResult, ack: Ack<Confirmed>) => void;
  'restore:discard:result': (message: DiscardResult, ack: Ack<Confirmed>) => void;
  'verification:started': (message: StartedReport, ack: Ack<Confirmed>) => void;
  'verification:progress': (message: ProgressReport) => void;
  'verification:completed': (message: VerificationCompletedReport, ack: Ack<Confirmed>) => void;
  'verification:failed': (message: FailedReport, ack: Ack<Confirmed>) => void;
  'keys:rewrap:result': (message: RewrapResult, ack: Ack<Confirmed>) => void;
  'backup:delete:result': (message: DeleteResult, ack: Ack<Confirmed>) => void;
  'backup:export:result': (message: ExportResult, ack: Ack<Confirmed>) => void;
  'command:refused': (message: ReportBase & { readonly error: ErrorBody }, ack: Ack<Confirmed>) => void;
  'upload:begin': (message: UploadBegin, ack: Ack<UploadBeginAnswer>) => void;
  'upload:part': (message: UploadPart, ack: Ack<SignedRequest>) => void;
  'upload:complete': (message: UploadComplete, ack: Ack<UploadCompleteAnswer>) => void;
  'upload:publish': (message: UploadPublish, ack: Ack<UploadPublishAnswer>) => void;
  'upload:abort': (message: ReportBase, ack: Ack<Confirmed>) => void;
  'download:open': (message: DownloadOpen, ack: Ack<DownloadOpenAnswer>) => void;
}

export type CommandEvents = { [T in CommandType]: (command: SignedCommand, ack: Ack<CommandReceipt>) => void };

export interface ServerToAgentEvents extends CommandEvents {
  'agent:challenge': (challenge: AgentChallenge) => void;
  /** The agent was revoked or fenced by a newer session: stop and do not reconnect (revoked), or reconnect later. */
  'agent:cut': (reason: ErrorBody) => void;
  /** A frame that asked for no answer was refused; one that asked has this as its answer. */
  'agent:refused': (error: ErrorBody) => void;
}
