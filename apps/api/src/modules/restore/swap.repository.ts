import type { SwapState } from '@rahatback/contracts';
import { AppError, TERMINAL_COMMAND_STATES } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { RestoreRow } from './restore.entity.js';
import { targetIdOf, type RestoreChange } from './restore.repository.js';
import { BUSY_SWAP_STATES, swapMove, type SwapEventName } from './swap-states.js';

/** Guards one live database against two swaps, undos or discards at once. */
export const swapResource = (restore: RestoreRow): string => `swap:${targetIdOf(restore)}/${restore.liveDatabase ?? ''}`;

const BUSY_LIST = BUSY_SWAP_STATES.map((state) => `'${state}'`).join(',');
/** A failed discard is tried again only after this long, a lost command is sent again after that. */
const DISCARD_PAUSE = `interval '10 minutes'`;
const RESEND_PAUSE = `interval '10 seconds'`;

/** Waits for the row, or fails at once for callers that hold the command's row already. */
export const lockRestoreOfSwap = (tx: Tx, commandId: string, wait: boolean): Promise<RestoreRow | null> =>
  tx.findOne(RestoreRow, {
    where: { swapCommandId: commandId },
    lock: wait ? { mode: 'pessimistic_write' } : { mode: 'pessimistic_write', onLocked: 'nowait' },
  });

/** Moves a row by the transition table, once. @returns the new state, or null when the event does not happen to it any more */
export const moveSwap = async (
  tx: Tx,
  restore: RestoreRow,
  event: SwapEventName,
  change: RestoreChange,
): Promise<SwapState | null> => {
  const to = swapMove(restore.swapState, event);
  if (to === null) return null;
  const update = await tx
    .createQueryBuilder()
    .update(RestoreRow)
    .set({ ...change, swapState: to })
    .where(`id = :id AND status = 'success' AND swap_state IS NOT DISTINCT FROM :from`, {
      id: restore.id,
      from: restore.swapState,
    })
    .execute();
  return update.affected === 1 ? to : null;
};

/** A command whose fate is not known is followed by another of the same kind. */
export const replaceSwapCommand = async (tx: Tx, restore: RestoreRow, commandId: string): Promise<boolean> => {
  const change = { swapCommandId: commandId };
  const update = await tx.update(RestoreRow, { id: restore.id, swapCommandId: restore.swapCommandId ?? '' }, change);
  return update.affected === 1;
};

const sameLive = `coalesce(r.target_database_id, r.database_id) = $1 AND r.live_database = $2`;

/** Whoever asks holds the lease's row, or the database's: the answer stays true until the commit. */
const exists = async (tx: Tx, condition: string, parameters: unknown[]): Promise<boolean> => {
  const rows = await tx.query<unknown[]>(`SELECT 1 FROM restores r WHERE ${sameLive} AND ${condition} LIMIT 1`, parameters);
  return rows.length > 0;
};

/** @throws AppError ALREADY_RUNNING when another restore is at this live database, also while its lease has run out */
export const assertNobodyElse = async (tx: Tx, restore: RestoreRow): Promise<void> => {
  const live = restore.liveDatabase ?? '';
  if (!(await exists(tx, `r.swap_state IN (${BUSY_LIST}) AND r.id <> $3`, [targetIdOf(restore), live, restore.id]))) return;
  throw new AppError(
    'ALREADY_RUNNING',
    `Another restore is changing "${live}" right now. Wait until it has ended, then try again.`,
  );
};

/** @throws AppError ALREADY_RUNNING when a restore runs, or changes names, that ends in the place of this live database */
export const assertNoSwapAhead = async (tx: Tx, databaseId: string, live: string): Promise<void> => {
  const condition = `(r.swap_state IN (${BUSY_LIST}) OR (r.status = 'running' AND r.mode = 'swap'))`;
  if (!(await exists(tx, condition, [databaseId, live]))) return;
  throw new AppError(
    'ALREADY_RUNNING',
    `A restore that takes the place of "${live}" is running. Wait until it has ended, or cancel it, then start again.`,
  );
};

/** The names carry their times, so the later one is the greater one. */
export const hasNewerSwap = (tx: Tx, restore: RestoreRow): Promise<boolean> =>
  exists(tx, `r.swap_state IN ('swapped','undo_failed') AND r.retired_database > $3`, [
    targetIdOf(restore),
    restore.liveDatabase ?? '',
    restore.retiredDatabase ?? '',
  ]);

/** By the database's clock. */
export const isUndoOver = async (tx: Tx, restoreId: string): Promise<boolean> => {
  const [row] = await tx.query<{ over: boolean }[]>(
    'SELECT coalesce(undo_until < clock_timestamp(), true) AS over FROM restores WHERE id = $1',
    [restoreId],
  );
  return row?.over !== false;
};

interface RestoreRef {
  readonly id: string;
  readonly workspaceId: string;
}

/** Busy rows whose command ended without telling what became of the databases: expired, or forgotten by its agent. */
export const findUnanswered = (tx: Tx, limit: number): Promise<RestoreRef[]> =>
  tx.query<RestoreRef[]>(
    `SELECT r.id, r.workspace_id AS "workspaceId" FROM restores r JOIN commands c ON c.id = r.swap_command_id
     WHERE r.swap_state IN (${BUSY_LIST}) AND c.state = ANY($1) AND c.ended_at < clock_timestamp() - ${RESEND_PAUSE}
     ORDER BY c.ended_at LIMIT $2`,
    [TERMINAL_COMMAND_STATES, limit],
  );

/** What was kept for an undo, past its time. A failed undo keeps the old database until a person says otherwise. */
export const findOverdue = (tx: Tx, limit: number): Promise<RestoreRef[]> =>
  tx.query<RestoreRef[]>(
    `SELECT r.id, r.workspace_id AS "workspaceId" FROM restores r
     WHERE r.swap_state IN ('swapped','undone') AND r.undo_until < clock_timestamp() AND NOT EXISTS (
       SELECT 1 FROM commands c WHERE c.id = r.swap_command_id AND c.type = 'restore:discard'
         AND coalesce(c.ended_at, clock_timestamp()) > clock_timestamp() - ${DISCARD_PAUSE})
     ORDER BY r.undo_until LIMIT $1`,
    [limit],
  );
