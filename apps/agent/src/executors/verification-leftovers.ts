import { removeThrowawayLeftovers } from '@rahatback/backup-core';
import { isCommandOf } from '../commands/envelope-shape.js';
import { openCommand } from '../commands/open-command.js';
import { errorBodyOf } from '../errors.js';
import type { CommandEntry } from '../journal/journal-state.js';
import type { AgentLog } from '../log.js';
import type { AgentIdentity } from '../state/identity.store.js';

/**
 * Removes the folder of the throw-away server that a verification had when the agent died; the server itself ended with it, or was killed as one of the
 * command's children. Does nothing for other commands. Never throws. May run twice.
 */
export async function removeVerificationLeftovers(
  entry: CommandEntry,
  { identity, log }: { readonly identity: AgentIdentity; readonly log: AgentLog },
): Promise<void> {
  if (entry.type !== 'verification:execute' || entry.command === null) return;
  try {
    const command = openCommand(entry.type, entry.command, identity);
    if (!isCommandOf(command, 'verification:execute')) return;
    const folders = await removeThrowawayLeftovers(command.payload.verificationId);
    if (folders.length > 0) log.info({ folders, commandId: entry.id }, 'Removed what a verification had left');
  } catch (error) {
    log.warn(
      { commandId: entry.id, error: errorBodyOf(error) },
      'What a verification left could not be removed: rahatback-verify-… in the temporary folder',
    );
  }
}
