/**
 * Every failure that a person or a program can see has a code from this table. The table fixes the HTTP status and the kind;
 * the sentence is written where the error is thrown, and says what to do next.
 *
 * - `user`: the caller can mend it. Never retried by a machine.
 * - `operational`: the world failed us (network, disk, a killed process). Retried.
 * - `unexpected`: a defect of ours.
 */
export type ErrorKind = 'user' | 'operational' | 'unexpected';

interface ErrorRule {
  readonly status: number;
  readonly kind: ErrorKind;
}

const user = (status: number): ErrorRule => ({ status, kind: 'user' });
const operational = (status: number): ErrorRule => ({ status, kind: 'operational' });

export const ERROR_RULES = {
  // requests
  VALIDATION: user(400),
  BODY_TOO_LARGE: user(413),
  UNSUPPORTED_MEDIA_TYPE: user(415),
  NOT_FOUND: user(404),
  CONFLICT: user(409),
  FORBIDDEN: user(403),
  RATE_LIMITED: user(429),
  SCHEDULE_UNSUPPORTED: user(400),
  CRON_INVALID: user(400),
  TZ_INVALID: user(400),
  ORIGIN_FORBIDDEN: user(403),

  // accounts
  UNAUTHENTICATED: user(401),
  LOGIN_FAILED: user(401),
  LOGIN_THROTTLED: user(429),
  SESSION_EXPIRED: user(401),
  SESSION_REUSED: user(401),
  STEP_UP_REQUIRED: user(403),
  TOTP_NEEDED: user(401),
  TOTP_WRONG: user(401),
  TOTP_REQUIRED: user(403),
  TOTP_ENROLLED: user(409),
  TOTP_NOT_ENROLLED: user(409),
  SCOPE_MISSING: user(403),
  EMAIL_TAKEN: user(409),
  PASSWORD_WEAK: user(400),
  PASSPHRASE_WEAK: user(400),
  RECOVERY_KEY_MISSING: user(409),
  RECOVERY_KEY_INVALID: user(400),

  // agents
  NO_AGENT_ONLINE: user(400),
  AGENT_OFFLINE: user(503),
  ENROL_REFUSED: user(401),
  AGENT_AUTH_FAILED: user(401),
  AGENT_REVOKED: user(401),
  AGENT_QUARANTINED: user(403),
  AGENT_UPGRADE_REQUIRED: user(426),
  AGENT_TIMEOUT: operational(504),
  AGENT_RESTARTED: operational(500),
  AGENT_POLICY_REFUSED: user(403),
  WS_BAD_FRAME: user(400),
  COMMAND_REFUSED: user(409),
  COMMAND_EXPIRED: operational(409),
  FENCED: operational(409),
  LEASE_EXPIRED: operational(504),
  TIME_LIMIT: user(504),
  CANCELLED: user(409),
  ALREADY_RUNNING: user(409),
  TOO_LATE: user(409),

  // databases and tools
  DB_UNREACHABLE: user(422),
  DB_AUTH_FAILED: user(422),
  DB_NOT_FOUND: user(422),
  DB_PRIVILEGE: user(422),
  DB_TLS: user(422),
  DB_CONNECTION_LOST: operational(502),
  TOOL_VERSION: user(422),
  TOOL_MISSING: user(422),
  TOOL_VULNERABLE: user(422),
  ENGINE_UNSUPPORTED: user(400),
  ENGINE_MISMATCH: user(400),
  VERSION_DOWNGRADE: user(409),
  HOST_FORBIDDEN: user(400),
  DUMP_FAILED: operational(502),
  DUMP_KILLED: operational(502),
  DUMP_INCOMPLETE: operational(502),
  DUMP_STALLED: operational(504),
  RESTORE_FAILED: user(422),
  RESTORE_TARGET_EXISTS: user(409),
  RESTORE_TARGET_LIVE: user(409),
  RESTORE_DIGEST_MISMATCH: user(422),
  RESTORE_PREFLIGHT: user(409),
  SWAP_REFUSED: user(409),
  SWAP_FAILED: user(422),
  UNDO_EXPIRED: user(409),
  CONFIRMATION_MISMATCH: user(400),
  SELECTION_INVALID: user(400),
  VERIFICATION_FAILED: user(422),
  SERVER_BINARIES_MISSING: user(422),
  BACKUP_DAMAGED: user(409),
  PIPELINE_FAILED: operational(500),

  // storage
  STORAGE_UNREACHABLE: operational(502),
  STORAGE_TRANSIENT: operational(502),
  STORAGE_PERMANENT: user(422),
  S3_BUCKET: user(422),
  S3_REGION: user(422),
  S3_DENIED: user(422),
  S3_CREDENTIALS: user(422),
  PATH_FORBIDDEN: user(400),
  NO_SPACE: user(409),
  OBJECT_EXISTS: user(409),
  OBJECT_MISSING: user(404),
  UPLOAD_MISSING: user(404),
  PART_INVALID: user(422),
  URL_EXPIRED: user(403),
  STORAGE_IN_USE: user(409),
  CHAIN_IN_USE: user(409),

  // format
  WRONG_KEY: user(422),
  DATA_CORRUPT: user(422),
  DATA_TRUNCATED: user(422),
  FORMAT_UNSUPPORTED: user(422),
  MANIFEST_INVALID: user(422),
  KDF_PARAMS_REFUSED: user(422),
  KEYS_INVALID: user(422),
  CHECKSUM_MISMATCH: user(422),

  // process
  CONFIG_INVALID: user(500),
  BOOT_CHECK_REDIS_POLICY: user(500),
  BOOT_CHECK_POSTGRES_VERSION: user(500),
  BOOT_CHECK_SCHEMA: user(500),
  BOOT_CHECK_CLOCK: user(500),
  UNAVAILABLE: operational(503),
  INTERNAL: { status: 500, kind: 'unexpected' },
} as const satisfies Record<string, ErrorRule>;

export type ErrorCode = keyof typeof ERROR_RULES;

export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly correlationId?: string;
}

/** The one error class that crosses our layers. `details` is shown to the caller, `cause` never is. */
export class AppError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details?: Readonly<Record<string, unknown>>,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'AppError';
  }

  get kind(): ErrorKind {
    return ERROR_RULES[this.code].kind;
  }

  get status(): number {
    return ERROR_RULES[this.code].status;
  }

  /** What may leave the process: code, sentence, details. */
  toBody(): ErrorBody {
    return this.details
      ? { code: this.code, message: this.message, details: this.details }
      : { code: this.code, message: this.message };
  }
}

export const isErrorCode = (value: unknown): value is ErrorCode => typeof value === 'string' && Object.hasOwn(ERROR_RULES, value);

/** Rebuilds an error that came over a wire; an unknown code becomes INTERNAL so that a newer peer cannot crash us. */
export const errorFromBody = (body: { code?: unknown; message?: unknown; details?: unknown }): AppError =>
  new AppError(
    isErrorCode(body.code) ? body.code : 'INTERNAL',
    typeof body.message === 'string' ? body.message : 'The other side sent an error without a sentence.',
    typeof body.details === 'object' && body.details !== null ? (body.details as Record<string, unknown>) : undefined,
  );
