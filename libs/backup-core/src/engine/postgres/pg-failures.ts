import { AppError } from '@rahatback/contracts';
import type { ToolExit } from '../../process/spawn-tool.js';
import type { DatabaseAccess } from '../database-engine.js';
import { placeOf } from './pg-errors.js';

const LAST_LINES = 5;
/** Both tools hold a lock on everything that they touch until they end. */
const TOO_MANY_LOCKS = /out of shared memory/;
const MORE_LOCKS =
  'Raise max_locks_per_transaction there (1024 is enough for 100,000 tables, indexes and sequences) and restart it.';

/** The lines that say what went wrong, for a sentence. */
const errorLines = (tail: string): string => {
  const lines = tail.split('\n').filter((line) => line.trim() !== '');
  const errors = lines.filter((line) => /error|fatal|panic/i.test(line));
  return (errors.length > 0 ? errors : lines).slice(-LAST_LINES).join(' / ').slice(0, 1000);
};

const endOf = ({ code, signal }: ToolExit): string =>
  signal === null ? `with exit code ${code ?? 'unknown'}` : `by signal ${signal}`;

/** Why pg_dump failed, from how it ended and what it wrote. */
export function dumpFailure(exit: ToolExit, tail: string, { connection }: DatabaseAccess): AppError {
  const said = errorLines(tail);
  const details = { exitCode: exit.code, signal: exit.signal };
  const fail = (code: AppError['code'], sentence: string): AppError => new AppError(code, sentence, details);
  const place = placeOf(connection);
  if (exit.signal !== null) {
    return fail(
      'DUMP_KILLED',
      `pg_dump was killed by signal ${exit.signal}. If that was not you, look for lack of memory on this machine.`,
    );
  }
  if (/server version mismatch/.test(tail))
    return fail('TOOL_VERSION', `pg_dump is older than the server ${place}: ${said}. Install a newer client.`);
  if (
    /server closed the connection|connection to server was lost|terminating connection|SSL SYSCALL|no connection to the server|EOF detected/i.test(
      tail,
    )
  ) {
    return fail('DB_CONNECTION_LOST', `${place} dropped the connection during the dump: ${said}. The backup can be run again.`);
  }
  if (/password authentication failed|no password supplied/.test(tail)) {
    return fail('DB_AUTH_FAILED', `${place} refused the log-in of user ${connection.username}. Check user and password.`);
  }
  if (/permission denied/.test(tail))
    return fail('DB_PRIVILEGE', `User ${connection.username} may not read everything on ${place}: ${said}. Grant it.`);
  if (TOO_MANY_LOCKS.test(tail))
    return fail('DUMP_FAILED', `The database has more tables than ${place} has locks for: ${said}. ${MORE_LOCKS}`);
  if (/lock timeout/.test(tail)) {
    return fail('DUMP_FAILED', `Another session held a lock for too long: ${said}. Run the backup at a quieter time.`);
  }
  if (/could not (connect|translate)|Connection refused|timeout expired/.test(tail)) {
    return fail('DB_UNREACHABLE', `${place} cannot be reached: ${said}. Check that the server runs.`);
  }
  return fail('DUMP_FAILED', `pg_dump ended ${endOf(exit)}: ${said || 'it said nothing'}.`);
}

/** Why psql failed. The target was never a live database. */
export function restoreFailure(exit: ToolExit, tail: string): AppError {
  const said = errorLines(tail);
  if (TOO_MANY_LOCKS.test(tail)) {
    return new AppError(
      'RESTORE_FAILED',
      `The database has more objects than the target server has locks for: ${said}. ${MORE_LOCKS} No live database was touched.`,
      { exitCode: exit.code, signal: exit.signal },
    );
  }
  return new AppError(
    'RESTORE_FAILED',
    `The restore stopped: psql ended ${endOf(exit)}: ${said || 'it said nothing'}. No live database was touched.`,
    { exitCode: exit.code, signal: exit.signal },
  );
}
