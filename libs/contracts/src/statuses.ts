/** Public status words (product specification 7, 9, 15). */
export const BACKUP_STATUSES = ['running', 'success', 'failed', 'cancelled', 'skipped'] as const;
export type BackupStatus = (typeof BACKUP_STATUSES)[number];

export const RESTORE_STATUSES = ['running', 'success', 'failed', 'cancelled'] as const;
export type RestoreStatus = (typeof RESTORE_STATUSES)[number];

export const COMMAND_STATES = [
  'queued',
  'sent',
  'accepted',
  'running',
  'succeeded',
  'failed',
  'refused',
  'expired',
  'cancelled',
] as const;
export type CommandState = (typeof COMMAND_STATES)[number];
export const TERMINAL_COMMAND_STATES: readonly CommandState[] = ['succeeded', 'failed', 'refused', 'expired', 'cancelled'];

export const BACKUP_TYPES = ['full', 'incremental', 'differential'] as const;
export type BackupType = (typeof BACKUP_TYPES)[number];

export const COMPRESSIONS = ['none', 'gzip', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

export const DATABASE_TYPES = ['postgresql', 'mysql', 'mongodb', 'mssql'] as const;
export type DatabaseType = (typeof DATABASE_TYPES)[number];

export const STORAGE_TYPES = ['local', 's3', 'google_drive'] as const;
export type StorageType = (typeof STORAGE_TYPES)[number];

export const TLS_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type TlsMode = (typeof TLS_MODES)[number];

export const ROLES = ['owner', 'admin', 'operator', 'viewer'] as const;
export type Role = (typeof ROLES)[number];

export const SCHEDULE_TYPES = ['manual', 'hourly', 'daily', 'weekly', 'monthly', 'custom', 'advanced'] as const;
export type ScheduleType = (typeof SCHEDULE_TYPES)[number];

export const VERIFICATION_LEVELS = ['BASIC', 'DATABASE', 'FULL'] as const;
export type VerificationLevel = (typeof VERIFICATION_LEVELS)[number];

/** PENDING until it has ended; SKIPPED: could not be judged, which says nothing against the backup. */
export const VERIFICATION_STATUSES = ['PENDING', 'PASSED', 'FAILED', 'SKIPPED'] as const;
export type VerificationStatus = (typeof VERIFICATION_STATUSES)[number];

export const VERIFICATION_TRIGGERS = ['manual', 'after_backup', 'schedule'] as const;
export type VerificationTrigger = (typeof VERIFICATION_TRIGGERS)[number];

/** `beside`: a new database; `swap`: beside, then in the live one's place. */
export const RESTORE_MODES = ['beside', 'swap'] as const;
export type RestoreMode = (typeof RESTORE_MODES)[number];

/** Of a finished restore; null where none was asked for. */
export const SWAP_STATES = [
  'swapping',
  'swapped',
  'swap_failed',
  'undoing',
  'undone',
  'undo_failed',
  'discarding',
  'discarded',
] as const;
export type SwapState = (typeof SWAP_STATES)[number];

export const AGENT_STATUSES = ['online', 'offline', 'quarantined', 'revoked'] as const;
export type AgentStatus = (typeof AGENT_STATUSES)[number];

/** What a person sees of the agent behind a running row. */
export const CONNECTION_STATES = ['connected', 'lost'] as const;
export type ConnectionState = (typeof CONNECTION_STATES)[number];
