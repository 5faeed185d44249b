import { withCaFile } from '@rahatback/backup-core';
import { openCommand } from '../commands/open-command.js';
import { isCommandOf } from '../commands/envelope-shape.js';
import { errorBodyOf } from '../errors.js';
import type { CommandEntry } from '../journal/journal-state.js';
import type { AgentLog } from '../log.js';
import type { AgentIdentity, AgentKeys } from '../state/identity.store.js';
import { engineOf, openerOf } from './executor-parts.js';
import { openPassword } from './sealed-secrets.js';

export interface StagingParts {
  readonly identity: AgentIdentity;
  readonly keys: AgentKeys;
  readonly log: AgentLog;
}

const plain = (text: string): string => text.replaceAll(/[^A-Za-z0-9]/g, '').toLowerCase();

/**
 * Drops the staging database that a restore was filling when the agent died, found by the restore's id. A server that is away is logged and
 * left: the database carries a name and a comment that say what it is. Never throws. May run twice.
 */
export async function dropStagingOf(entry: CommandEntry, parts: StagingParts): Promise<void> {
  try {
    if (entry.command === null) return;
    const command = openCommand(entry.type, entry.command, parts.identity);
    if (!isCommandOf(command, 'restore:execute')) return;
    const { connection, restoreId } = command.payload;
    const engine = engineOf(connection.type);
    const password = await openPassword(command, connection.passwordRef, openerOf(parts));
    await withCaFile({ connection, password }, async (access) => {
      const found = await engine.findStaging(access);
      const own = found.filter((staging) => staging.restoreId === restoreId || staging.name.endsWith(plain(restoreId)));
      for (const { name } of own) {
        await engine.dropStaging(access, name);
        parts.log.info({ database: name, restoreId }, 'Dropped what a restore had left');
      }
    });
  } catch (error) {
    parts.log.warn(
      { commandId: entry.id, error: errorBodyOf(error) },
      'What a restore left could not be dropped: drop rahatback_restore_… by hand',
    );
  }
}
