import { AppError, type Connection, type ErrorCode } from '@rahatback/contracts';

interface PgErrorLike {
  readonly code?: string;
  readonly message?: string;
  readonly errors?: readonly unknown[];
}

const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'ENOENT',
  'EACCES',
  'ECONNRESET',
]);
const SQLSTATE = /^[0-9A-Z]{5}$/;
const TLS_CODE = /^(ERR_TLS|ERR_SSL|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_(VERIFY|GET)|HOSTNAME_MISMATCH|EPROTO)/;
const TLS_TEXT = /SSL|TLS|certificate|self.signed|altname/i;

/** Where a connection leads, for sentences: `db.example:5432`. */
export const placeOf = ({ host, port }: Pick<Connection, 'host' | 'port'>): string =>
  host.startsWith('/') ? `${host} (port ${port})` : `${host}:${port}`;

function firstCause(error: unknown): PgErrorLike {
  const like = error as PgErrorLike;
  // A name with several addresses fails with one error for each of them.
  return Array.isArray(like.errors) && like.errors.length > 0 ? (like.errors[0] as PgErrorLike) : like;
}

/** What an error of the driver means to the person who entered the connection. AppErrors pass through. */
export function asDatabaseError(
  error: unknown,
  connection: Connection,
  statementFailure: ErrorCode = 'DB_UNREACHABLE',
): AppError {
  if (error instanceof AppError) return error;
  const { code = '', message = '' } = firstCause(error);
  const [failure, sentence] = SQLSTATE.test(code)
    ? (serverRefusal(code, message, connection) ?? [
        statementFailure,
        `${placeOf(connection)} answered with an error: ${message}.`,
      ])
    : connectionFailure(code, message, connection);
  return new AppError(failure, sentence, undefined, { cause: error });
}

type Verdict = readonly [ErrorCode, string];

/** What the server said no to, by its SQLSTATE; null for an error about a statement. */
function serverRefusal(code: string, message: string, connection: Connection): Verdict | null {
  const { username, database } = connection;
  const place = placeOf(connection);
  if (code === '28000' && /SSL off|no encryption/.test(message)) return tlsFailure(message, place);
  switch (code) {
    case '28000':
    case '28P01':
      return [
        'DB_AUTH_FAILED',
        `${place} refused the log-in of user ${username} to database ${database}. Check user, password and pg_hba.conf.`,
      ];
    case '3D000':
      return ['DB_NOT_FOUND', `There is no database ${database} on ${place}.`];
    case '42501':
      return ['DB_PRIVILEGE', `User ${username} may not do this on ${place}: ${message}. Grant it and try again.`];
    case '53300':
      return ['DB_UNREACHABLE', `${place} has no free connection: ${message}. Raise max_connections or close sessions.`];
    default:
      return /^(57P0|08)/.test(code) ? closedConnection(message, place) : null;
  }
}

function connectionFailure(code: string, message: string, connection: Connection): Verdict {
  const place = placeOf(connection);
  if (/password must be/.test(message)) {
    return ['DB_AUTH_FAILED', `${place} asks for the password of user ${connection.username}, and none is saved. Enter it.`];
  }
  if (UNREACHABLE.has(code)) return ['DB_UNREACHABLE', unreachableSentence(code, place)];
  if (TLS_CODE.test(code) || TLS_TEXT.test(message)) return tlsFailure(message, place);
  return closedConnection(message, place);
}

const tlsFailure = (message: string, place: string): Verdict => [
  'DB_TLS',
  `TLS with ${place} failed: ${message}. Check the TLS mode and the certificate authority.`,
];

const closedConnection = (message: string, place: string): Verdict => [
  'DB_UNREACHABLE',
  `${place} did not answer or closed the connection: ${message}. Check that the server runs and accepts connections.`,
];

function unreachableSentence(code: string, place: string): string {
  switch (code) {
    case 'ECONNREFUSED':
      return `${place} refused the connection. Check host and port, and that the server listens there.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The name of ${place} cannot be resolved on this machine. Check the host.`;
    case 'ENOENT':
    case 'EACCES':
      return `There is no reachable socket at ${place} (${code}). Check the socket folder and port.`;
    default:
      return `${place} cannot be reached from this machine (${code}). Check network and firewall.`;
  }
}
