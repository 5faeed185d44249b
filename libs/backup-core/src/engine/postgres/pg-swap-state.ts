import { AppError } from '@rahatback/contracts';
import type { SwapRequest } from '../database-engine.js';
import { MAINTENANCE_DATABASE } from './pg-client.js';
import { markText, type DatabaseMark, type DatabaseRole, type MarkedDatabase } from './pg-swap-marks.js';

const MAX_NAME_BYTES = 63;

export type TurnKind = 'swap' | 'undo';

/** The two databases that change hands: `outgoing` is live, `incoming` becomes it. */
export interface Turn {
  readonly outgoing: MarkedDatabase;
  readonly incoming: MarkedDatabase;
}

export type Found = ReadonlyMap<string, MarkedDatabase>;

const refuse = (sentence: string): AppError => new AppError('SWAP_REFUSED', sentence);

/** @throws AppError SWAP_REFUSED for names that no swap can work with */
export function assertNames({ liveDatabase, restoredDatabase, retiredDatabase }: SwapRequest): void {
  const names = [liveDatabase, restoredDatabase, retiredDatabase];
  const long = names.find((name) => Buffer.byteLength(name) > MAX_NAME_BYTES);
  if (long !== undefined) throw refuse(`The name ${long} is longer than ${MAX_NAME_BYTES} bytes: choose a shorter one.`);
  if (liveDatabase === restoredDatabase || liveDatabase === retiredDatabase)
    throw refuse('The live, the restored and the retired database need different names.');
  if (names.some((name) => name === MAINTENANCE_DATABASE || name === 'template0' || name === 'template1'))
    throw refuse(`${MAINTENANCE_DATABASE}, template0 and template1 belong to the server: they are not swapped.`);
}

const bears = (database: MarkedDatabase | undefined, role: DatabaseRole, restoreId: string): boolean =>
  database?.mark?.role === role && database.mark.restoreId === restoreId;

const missing = (name: string): AppError => refuse(`There is no database ${name} on this server. Look at its databases first.`);

/** Null when the restored database is live already. @throws AppError SWAP_REFUSED */
function swapTurn(found: Found, { restoreId, liveDatabase, restoredDatabase, retiredDatabase }: SwapRequest): Turn | null {
  const outgoing = found.get(liveDatabase);
  const incoming = found.get(restoredDatabase);
  const retired = found.get(retiredDatabase);
  if (bears(outgoing, 'restored', restoreId) && bears(retired, 'retired', restoreId)) return null;
  if (!outgoing) throw missing(liveDatabase);
  if (!incoming) throw missing(restoredDatabase);
  if (!bears(incoming, 'restored', restoreId) && !bears(incoming, 'aside', restoreId))
    throw refuse(
      `${restoredDatabase} does not bear the mark of restore ${restoreId} in its comment: only a database that it made is swapped in.`,
    );
  if (retired && retiredDatabase !== restoredDatabase)
    throw refuse(`There is already a database ${retiredDatabase}: the old one needs a name that is free.`);
  return { outgoing, incoming };
}

/** Null when the old database is live again. @throws AppError SWAP_REFUSED */
function undoTurn(found: Found, { restoreId, liveDatabase, retiredDatabase }: SwapRequest): Turn | null {
  const outgoing = found.get(liveDatabase);
  const incoming = found.get(retiredDatabase);
  if (outgoing && bears(incoming, 'aside', restoreId) && !bears(outgoing, 'restored', restoreId)) return null;
  if (!incoming) throw refuse(`The old database ${retiredDatabase} is gone from the server: there is nothing to go back to.`);
  if (!outgoing) throw missing(liveDatabase);
  if (!bears(incoming, 'retired', restoreId))
    throw refuse(
      `${retiredDatabase} does not bear the mark that the swap of restore ${restoreId} left: it is not the old database.`,
    );
  if (!bears(outgoing, 'restored', restoreId))
    throw refuse(`${liveDatabase} was replaced since the swap of restore ${restoreId}: undo the later change first.`);
  return { outgoing, incoming };
}

export const turnOf = (kind: TurnKind, found: Found, request: SwapRequest): Turn | null =>
  kind === 'swap' ? swapTurn(found, request) : undoTurn(found, request);

/** What people wrote about a database, without our marks. */
function ownComment({ comment, mark }: { readonly comment: string | null; readonly mark: DatabaseMark | null }): string | null {
  return mark ? mark.comment : comment;
}

/** The comments after the turn, of the database that is live then and of the one that is not. */
export function commentsAfter(kind: TurnKind, { outgoing, incoming }: Turn, restoreId: string) {
  const mark = (role: DatabaseRole, comment: string | null): string =>
    markText({ role, restoreId, allowedConnections: null, comment });
  return kind === 'swap'
    ? { live: mark('restored', ownComment(outgoing)), other: mark('retired', outgoing.comment) }
    : { live: ownComment(incoming), other: mark('aside', null) };
}
