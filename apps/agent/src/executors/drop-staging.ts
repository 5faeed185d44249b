import { withCaFile, type DatabaseAccess, type DatabaseEngine } from '@rahatback/backup-core';
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

type Restore = { readonly restoreId: string; readonly engine: DatabaseEngine; readonly access: DatabaseAccess };

/** Runs `work` on the server that a restore command names; undefined for another command. */
async function onTarget<T>(
  entry: CommandEntry,
  parts: StagingParts,
  work: (restore: Restore) => Promise<T>,
): Promise<T | undefined> {
  if (entry.command === null) return undefined;
  const command = openCommand(entry.type, entry.command, parts.identity);
  if (!isCommandOf(command, 'restore:execute')) return undefined;
  const { connection, restoreId } = command.payload;
  const engine = engineOf(connection.type);
  const password = await openPassword(command, connection.passwordRef, openerOf(parts));
  return withCaFile({ connection, password }, (access) => work({ restoreId, engine, access }));
}

/**
 * Whether the restore that this command began stands under its final name, as its comment tells. False, and logged, when the server is away: the
 * restore is then reported as failed and its database stays, complete and named. Never throws.
 */
export async function isRestoredBy(entry: CommandEntry, parts: StagingParts): Promise<boolean> {
  try {
    const found = await onTarget(entry, parts, ({ engine, access, restoreId }) => engine.findRestored(access, restoreId));
    return found !== undefined && found !== null;
  } catch (error) {
    parts.log.warn({ commandId: entry.id, error: errorBodyOf(error) }, 'Whether a restore had finished could not be asked');
    return false;
  }
}

/**
 * Drops the staging database that a restore was filling when the agent died, found by the restore's id. A server that is away is logged and
 * left: the database carries a name and a comment that say what it is. Never throws. May run twice.
 */
export async function dropStagingOf(entry: CommandEntry, parts: StagingParts): Promise<void> {
  try {
    await onTarget(entry, parts, async ({ engine, access, restoreId }) => {
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
