import type { DiscardResult } from '@rahatback/contracts';
import { reportBase, type Executor } from '../commands/executor.js';
import { engineOf, type ExecutorParts } from './executor-parts.js';
import { withTarget } from './restore-swap.executor.js';

/** `restore:discard`: drops what a swap retired or an undo put aside. */
export const discardExecutor =
  (parts: ExecutorParts): Executor<'restore:discard'> =>
  async ({ command }) => {
    const { restoreId, database, connection } = command.payload;
    await withTarget(parts, command, (access) => engineOf(connection.type).discard(access, { restoreId, database }));
    const message: DiscardResult = { ...reportBase(command), restoreId };
    return { state: 'succeeded', result: { event: 'restore:discard:result', message: { ...message } } };
  };
