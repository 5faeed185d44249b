import { AppError } from '@rahatback/contracts';
import { QueryFailedError, QueryRunnerAlreadyReleasedError, QueryRunnerProviderAlreadyReleasedError } from 'typeorm';

const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EPIPE',
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '25006', // read_only_sql_transaction: a failover has left us at a standby
  '53100', // disk_full
  '53200', // out_of_memory
  '53300', // too_many_connections
  '08000',
  '08003',
  '08006',
]);
/** Of the trigger `refuse_retired_key`: this process did not know yet that its key was retired. */
const RETIRED_KEY = 'RB001';
const LOST = /connection (terminated|timeout)|timeout exceeded when trying to connect|client has encountered a connection error/i;

const isUnreachable = (error: unknown): boolean => {
  const { message } = error as { message?: unknown };
  return UNREACHABLE.has(sqlState(error) ?? '') || (typeof message === 'string' && LOST.test(message));
};

/** The connection was cut between two statements of a transaction: its runner is gone before the next one is sent. */
const isReleased = (error: unknown): boolean =>
  error instanceof QueryRunnerAlreadyReleasedError || error instanceof QueryRunnerProviderAlreadyReleasedError;

/**
 * A PostgreSQL that is away, or takes no writes, becomes UNAVAILABLE (503); everything else stays what it is. `began`: whether the transaction's own work had begun;
 * from then on only PostgreSQL's errors count, because the work may have talked to other servers too.
 */
export function translateDatabaseError(error: unknown, began: boolean): unknown {
  if (typeof error !== 'object' || error === null || error instanceof AppError) return error;
  if (sqlState(error) === RETIRED_KEY) {
    return new AppError('UNAVAILABLE', "The server's key is being changed right now. Try again in a few seconds.", undefined, {
      cause: error,
    });
  }
  if (!isReleased(error) && ((began && !(error instanceof QueryFailedError)) || !isUnreachable(error))) return error;
  return new AppError('UNAVAILABLE', 'The database cannot be reached right now. Try again in a few seconds.', undefined, {
    cause: error,
  });
}

/** The SQLSTATE or system code of a driver error, e.g. `23505` for a broken unique index. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

export const isUniqueViolation = (error: unknown, constraint?: string): boolean =>
  sqlState(error) === '23505' && (constraint === undefined || (error as { constraint?: unknown }).constraint === constraint);
