import { withCaFile, type DatabaseAccess, type DatabaseEngine, type SwapOutcome, type SwapRequest } from '@rahatback/backup-core';
import type { CommandEnvelope, SwapPayload, SwapResult } from '@rahatback/contracts';
import { reportBase, type Execution, type Executor, type Outcome } from '../commands/executor.js';
import { engineOf, openerOf, type ExecutorParts } from './executor-parts.js';
import { openPassword } from './sealed-secrets.js';

type TurnType = 'restore:swap' | 'restore:undo';
type Turn = (
  engine: DatabaseEngine,
  on: { readonly access: DatabaseAccess; readonly request: SwapRequest; readonly signal: AbortSignal },
) => Promise<SwapOutcome>;

export const swapRequestOf = (payload: SwapPayload): SwapRequest => {
  const { restoreId, liveDatabase, restoredDatabase, retiredDatabase, drainMs } = payload;
  return { restoreId, liveDatabase, restoredDatabase, retiredDatabase, drainMs };
};

/** `restore:swap`: the restored database takes the live one's place. Run again after a crash, it looks first how far it came. */
export const swapExecutor = (parts: ExecutorParts): Executor<'restore:swap'> =>
  turnExecutor(parts, 'restore:swap', (engine, { access, request, signal }) => engine.swap(access, request, signal));

/** `restore:undo`: the old database is live again. */
export const undoExecutor = (parts: ExecutorParts): Executor<'restore:undo'> =>
  turnExecutor(parts, 'restore:undo', (engine, { access, request, signal }) => engine.undoSwap(access, request, signal));

const turnExecutor =
  <T extends TurnType>(parts: ExecutorParts, type: T, turn: Turn): Executor<T> =>
  async ({ command, signal }: Execution<T>) => {
    const payload: SwapPayload = command.payload;
    const engine = engineOf(payload.connection.type);
    const done = await withTarget(parts, command, (access) => turn(engine, { access, request: swapRequestOf(payload), signal }));
    for (const note of done.notes) parts.log.warn({ commandId: command.commandId, restoreId: payload.restoreId }, note);
    return answered(type, command, done);
  };

function answered(type: TurnType, command: CommandEnvelope<TurnType>, { drainedSessions }: SwapOutcome): Outcome {
  const { restoreId, liveDatabase, retiredDatabase } = command.payload;
  const message: SwapResult = { ...reportBase(command), restoreId, liveDatabase, retiredDatabase, drainedSessions };
  return { state: 'succeeded', result: { event: `${type}:result`, message: { ...message } } };
}

/** Runs `work` with the password and the certificate authority of the command's connection. */
export async function withTarget<T>(
  parts: Pick<ExecutorParts, 'identity' | 'keys'>,
  command: CommandEnvelope<TurnType | 'restore:discard' | 'restore:preflight'>,
  work: (access: DatabaseAccess) => Promise<T>,
): Promise<T> {
  const { connection } = command.payload;
  const password = await openPassword(command, connection.passwordRef, openerOf(parts));
  return withCaFile({ connection, password }, work);
}
