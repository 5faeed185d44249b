import { isCommandOf } from '../commands/envelope-shape.js';
import { openCommand } from '../commands/open-command.js';
import { errorBodyOf } from '../errors.js';
import type { CommandEntry } from '../journal/journal-state.js';
import type { StagingParts } from './drop-staging.js';
import { engineOf } from './executor-parts.js';
import { swapRequestOf, withTarget } from './restore-swap.executor.js';

/**
 * Lets people into their database again when a swap had blocked it and the agent died: at once, not only when the server is there to have the swap
 * done again. A database that cannot be reached is logged; the swap itself looks again. Never throws. May run twice.
 */
export async function reopenAfterSwapOf(entry: CommandEntry, parts: StagingParts): Promise<void> {
  if (entry.command === null) return;
  try {
    const command = openCommand(entry.type, entry.command, parts.identity);
    if (!isCommandOf(command, 'restore:swap') && !isCommandOf(command, 'restore:undo')) return;
    const { payload } = command;
    await withTarget(parts, command, (access) =>
      engineOf(payload.connection.type).reopenAfterSwap(access, swapRequestOf(payload)),
    );
  } catch (error) {
    parts.log.warn(
      { commandId: entry.id, error: errorBodyOf(error) },
      'Whether an interrupted swap left its database closed could not be looked at: it is tried again with the swap',
    );
  }
}
