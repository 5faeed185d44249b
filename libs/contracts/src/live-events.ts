import type { BackupProgressView } from './backups.dto.js';
import type { AgentStatus, BackupStatus, RestoreStatus, SwapState, VerificationLevel, VerificationStatus } from './statuses.js';

/**
 * What people's sockets receive (default namespace, JWT in `auth.token`). Events carry ids, not rows: the page re-reads what it shows.
 * Rooms: `user:<id>`, `workspace:<id>`.
 */
export interface BackupEvent {
  readonly historyId: string;
  readonly jobId: string;
  readonly databaseId: string;
  readonly status: BackupStatus;
  readonly errorCode?: string;
}

export interface BackupProgressEvent extends BackupProgressView {
  readonly historyId: string;
  readonly jobId: string;
}

export interface RestoreEvent {
  readonly restoreHistoryId: string;
  readonly historyId: string;
  readonly status: RestoreStatus;
  readonly errorCode?: string;
}

/** The two databases changed names, or did not: `swapState` says which. */
export interface SwapEvent {
  readonly restoreHistoryId: string;
  readonly swapState: SwapState;
  readonly errorCode?: string;
}

export interface VerificationEvent {
  readonly verificationId: string;
  readonly historyId: string;
  readonly verificationLevel: VerificationLevel;
  readonly status: VerificationStatus;
  readonly errorCode?: string;
}

export interface VerificationProgressEvent extends BackupProgressView {
  readonly verificationId: string;
  readonly historyId: string;
}

export interface RestoreProgressEvent extends BackupProgressView {
  readonly restoreHistoryId: string;
}

export interface AgentEvent {
  readonly agentId: string;
  readonly status: AgentStatus;
}

/** Something happened to the person's own account that they should know of, if it was not they. */
export interface AccountNotice {
  readonly kind: 'session_reused' | 'password_changed' | 'totp_disabled' | 'recovery_code_used';
  readonly at: string;
}

export interface ServerToPersonEvents {
  'backup:started': (event: BackupEvent) => void;
  'backup:progress': (event: BackupProgressEvent) => void;
  'backup:completed': (event: BackupEvent) => void;
  'backup:failed': (event: BackupEvent) => void;
  'restore:started': (event: RestoreEvent) => void;
  'restore:progress': (event: RestoreProgressEvent) => void;
  'restore:completed': (event: RestoreEvent) => void;
  'restore:failed': (event: RestoreEvent) => void;
  'restore:swap': (event: SwapEvent) => void;
  'verification:started': (event: VerificationEvent) => void;
  'verification:progress': (event: VerificationProgressEvent) => void;
  'verification:completed': (event: VerificationEvent) => void;
  'verification:failed': (event: VerificationEvent) => void;
  /** To all pages of one person, not to the workspace. */
  'account:notice': (event: AccountNotice) => void;
  'agent:status': (event: AgentEvent) => void;
}

/** People only listen so far. */
export type PersonToServerEvents = Record<string, never>;
