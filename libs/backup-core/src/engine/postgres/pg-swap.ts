import { AppError } from '@rahatback/contracts';
import type { Client } from 'pg';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { crashPoint } from '../../crash-point.js';
import { quoteIdentifier } from '../../dump/copy-target.js';
import type { DatabaseAccess, SwapOutcome, SwapRequest } from '../database-engine.js';
import { MAINTENANCE_DATABASE, withClient } from './pg-client.js';
import { literal } from './pg-literal.js';
import { exclusively, swapSubjects } from './pg-swap-lock.js';
import { markText, readDatabases, type MarkedDatabase } from './pg-swap-marks.js';
import { copyProperties } from './pg-swap-properties.js';
import { differingPublications } from './pg-swap-publications.js';
import { assertMayTurn } from './pg-swap-rights.js';
import { assertNothingBound, busyError, Drain, sessionGroups } from './pg-swap-sessions.js';
import { assertNames, commentsAfter, turnOf, type Turn, type TurnKind } from './pg-swap-state.js';

const STATEMENT_TIMEOUT_MS = 30_000;
/** How long after the drain sessions may come back before the swap gives up. */
const RENAME_LIMIT_MS = 30_000;
/** With `drainMs` 0: what ends right now is not waited for long, but is no reason to refuse. */
const CLOSING_MS = 1_000;
const PUT_BACK_LIMIT_MS = 60_000;
const PUT_BACK_POLL_MS = 500;
const IN_USE = '55006';

/** `blocked` until connections are given back: whoever fails meanwhile must do so. */
interface Run {
  readonly access: DatabaseAccess;
  readonly request: SwapRequest;
  readonly kind: TurnKind;
  readonly signal: AbortSignal;
  blocked: boolean;
}

const onServer = <T>(access: DatabaseAccess, work: (client: Client) => Promise<T>): Promise<T> =>
  withClient(
    access,
    { database: MAINTENANCE_DATABASE, statementTimeoutMs: STATEMENT_TIMEOUT_MS, statementFailure: 'SWAP_FAILED' },
    work,
  );

const namesOf = ({ liveDatabase, restoredDatabase, retiredDatabase }: SwapRequest): string[] => [
  liveDatabase,
  restoredDatabase,
  retiredDatabase,
];

/**
 * The restored database takes the live one's name, owner, grants, settings and comment; the live one is kept under the retired name. Both names
 * change in one transaction: other sessions see wholly the old or wholly the new. May run again after any crash: the marks in the databases'
 * comments say how far it came.
 * @throws AppError SWAP_REFUSED (nothing is changed), SWAP_FAILED, those of connecting, CANCELLED and other reasons of `signal`
 */
export const swap = (access: DatabaseAccess, request: SwapRequest, signal: AbortSignal): Promise<SwapOutcome> =>
  runTurn({ access, request, signal, kind: 'swap', blocked: false });

/** The old database is live again as it was, and the restored one takes the retired name. As repeatable as `swap`, with the same errors. */
export const undoSwap = (access: DatabaseAccess, request: SwapRequest, signal: AbortSignal): Promise<SwapOutcome> =>
  runTurn({ access, request, signal, kind: 'undo', blocked: false });

/** Gives connections back that a swap had blocked when it died. Changes nothing else; may run at any time and again. */
export const reopenAfterSwap = (access: DatabaseAccess, request: SwapRequest): Promise<void> =>
  onServer(access, (client) => exclusively(client, swapSubjects(request), () => lift(client, request)));

async function runTurn(run: Run): Promise<SwapOutcome> {
  const { access, request } = run;
  assertNames(request);
  try {
    return await onServer(access, (client) => exclusively(client, swapSubjects(request), () => turn(client, run)));
  } catch (error) {
    const failure = error instanceof AppError && error.code === 'DB_PRIVILEGE' ? refusal(error) : error;
    if (!run.blocked) throw failure;
    if (await putBack(run)) return { drainedSessions: 0, notes: ['The connection broke at the commit, which had been made.'] };
    throw failure;
  }
}

const refusal = (error: AppError): AppError =>
  new AppError('SWAP_REFUSED', `${error.message} Nothing was changed.`, error.details, { cause: error });

async function inTransaction<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

const comment = (client: Client, database: string, text: string | null): Promise<unknown> =>
  client.query(`COMMENT ON DATABASE ${quoteIdentifier(database)} IS ${text === null ? 'NULL' : literal(text)}`);
const allow = (client: Client, database: string, isAllowed: boolean): Promise<unknown> =>
  client.query(`ALTER DATABASE ${quoteIdentifier(database)} ALLOW_CONNECTIONS ${isAllowed}`);
const rename = (client: Client, from: string, to: string): Promise<unknown> =>
  client.query(`ALTER DATABASE ${quoteIdentifier(from)} RENAME TO ${quoteIdentifier(to)}`);

/** Undoes `block` where it stands: whoever holds the lock knows that nobody is at work between the two. */
async function lift(client: Client, request: SwapRequest): Promise<void> {
  for (const { name, mark } of (await readDatabases(client, namesOf(request))).values()) {
    if (mark?.role !== 'swapping') continue;
    await inTransaction(client, async () => {
      await comment(client, name, mark.comment);
      await allow(client, name, mark.allowedConnections ?? true);
    });
  }
}

async function block(client: Client, { outgoing, incoming }: Turn, restoreId: string): Promise<void> {
  await inTransaction(client, async () => {
    for (const { name, allowsConnections, comment: before } of [outgoing, incoming]) {
      await comment(
        client,
        name,
        markText({ role: 'swapping', restoreId, allowedConnections: allowsConnections, comment: before }),
      );
      await allow(client, name, false);
    }
  });
}

async function turn(client: Client, run: Run): Promise<SwapOutcome> {
  const { access, request, kind, signal } = run;
  await lift(client, request);
  const next = turnOf(kind, await readDatabases(client, namesOf(request)), request);
  if (next === null) return { drainedSessions: 0, notes: [] };
  const names = [next.outgoing.name, next.incoming.name];
  await assertMayTurn(client, next, access.connection.username);
  for (const database of [next.outgoing, next.incoming]) await assertNothingBound(client, database);
  if (request.drainMs === 0) await assertIdle(client, names);
  const notes = await notesOf(run, next);
  signal.throwIfAborted();

  run.blocked = true;
  await block(client, next, request.restoreId);
  crashPoint(`${kind}.blocked`);
  const drain = new Drain(client, names);
  const deadline = performance.now() + request.drainMs + RENAME_LIMIT_MS;
  const isIdle = await drain.wait(request.drainMs || CLOSING_MS, signal);
  if (!isIdle && request.drainMs === 0) await assertIdle(client, names);
  if (!(await drain.terminate(deadline))) throw await comingBack(client, names);
  crashPoint(`${kind}.drained`);
  while (!(await changeNames(client, next, run))) {
    signal.throwIfAborted();
    if (!(await drain.terminate(deadline)) || performance.now() > deadline) throw await comingBack(client, names);
  }
  run.blocked = false;
  crashPoint(`${kind}.committed`);
  await lift(client, request);
  crashPoint(`${kind}.reopened`);
  return { drainedSessions: drain.drainedSessions, notes };
}

async function assertIdle(client: Client, names: readonly string[]): Promise<void> {
  const groups = await sessionGroups(client, names);
  if (groups.length > 0)
    throw busyError(groups, 'Close them, or give them a drain time after which they are ended. Nothing was changed.');
}

const comingBack = async (client: Client, names: readonly string[]): Promise<AppError> =>
  busyError(
    await sessionGroups(client, names),
    `They came back or did not end for ${RENAME_LIMIT_MS / 1000} seconds. Stop what opens them. Everything is as it was.`,
  );

async function notesOf({ access, kind }: Run, { outgoing, incoming }: Turn): Promise<readonly string[]> {
  if (kind === 'undo') return [];
  const publications = await differingPublications(access, outgoing.name, incoming.name);
  const moved = outgoing.tablespace !== incoming.tablespace;
  const tablespace = `${outgoing.name} stood in tablespace ${outgoing.tablespace}; the restored database is in ${incoming.tablespace}.`;
  return [...publications, ...(moved ? [tablespace] : [])];
}

/** @returns false when a session was there after all, and nothing was changed */
async function changeNames(client: Client, next: Turn, run: Run): Promise<boolean> {
  try {
    await inTransaction(client, () => write(client, next, run));
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === IN_USE) return false;
    throw error;
  }
}

async function write(client: Client, next: Turn, { request, kind }: Run): Promise<void> {
  const { outgoing, incoming } = next;
  const { restoreId, liveDatabase, retiredDatabase } = request;
  if (kind === 'swap') {
    const differing = await copyProperties(client, outgoing.name, incoming.name);
    if (differing.length > 0)
      throw new AppError(
        'SWAP_REFUSED',
        `This user cannot give ${incoming.name} the ${differing.join(' and ')} of ${outgoing.name}: let a superuser's connection do the swap. Nothing was changed.`,
        { differing },
      );
  }
  const comments = commentsAfter(kind, next, restoreId);
  await comment(client, incoming.name, comments.live);
  await comment(client, outgoing.name, comments.other);
  await allow(client, incoming.name, (kind === 'swap' ? outgoing : incoming).allowsConnections);
  await allow(client, outgoing.name, outgoing.allowsConnections);
  // The name that one gives up may be the other's new one.
  const between = `rahatback_turn_${randomBytes(8).toString('hex')}`;
  await rename(client, liveDatabase, between);
  await rename(client, incoming.name, liveDatabase);
  await rename(client, between, retiredDatabase);
  crashPoint(`${kind}.in_transaction`);
}

/** Gives connections back after a failure. @returns whether the turn had been made after all */
async function putBack({ access, request, kind }: Run): Promise<boolean> {
  const until = performance.now() + PUT_BACK_LIMIT_MS;
  for (;;) {
    try {
      return await onServer(access, (client) =>
        exclusively(client, swapSubjects(request), async () => {
          await lift(client, request);
          return isDone(kind, await readDatabases(client, namesOf(request)), request);
        }),
      );
    } catch (error) {
      if (performance.now() > until) throw stillBlocked(request, error);
      await pause(PUT_BACK_POLL_MS);
    }
  }
}

function isDone(kind: TurnKind, found: ReadonlyMap<string, MarkedDatabase>, request: SwapRequest): boolean {
  try {
    return turnOf(kind, found, request) === null;
  } catch {
    return false;
  }
}

function stillBlocked({ liveDatabase, restoredDatabase, retiredDatabase }: SwapRequest, cause: unknown): AppError {
  const names = [liveDatabase, restoredDatabase, retiredDatabase];
  const statements = names.map((name) => `ALTER DATABASE ${quoteIdentifier(name)} ALLOW_CONNECTIONS true;`).join(' ');
  return new AppError(
    'SWAP_FAILED',
    `The swap stopped and the server could not be reached to allow connections again. Run, for those that exist: ${statements}`,
    undefined,
    { cause },
  );
}
