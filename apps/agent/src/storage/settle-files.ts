import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MANIFEST_OBJECT } from '@rahatback/backup-core';
import type { BackupPayload, CommandEnvelope } from '@rahatback/contracts';
import { isCommandOf } from '../commands/envelope-shape.js';
import { openCommand } from '../commands/open-command.js';
import { errorBodyOf } from '../errors.js';
import type { CommandEntry } from '../journal/journal-state.js';
import type { ResultEvent } from '../journal/journal-record.js';
import type { AgentLog } from '../log.js';
import type { AgentHome } from '../state/agent-home.js';
import type { AgentIdentity } from '../state/identity.store.js';
import { attemptFolder } from './agent-folder.js';
import { exportPlace, settleExport } from './export-file.js';
import { removeAttempt } from './remove-attempt.js';

export interface FileParts {
  readonly home: AgentHome;
  readonly identity: AgentIdentity;
  readonly log: AgentLog;
}

/**
 * What an interrupted command left on this agent's own disk: a file that got its name makes it a success, anything less is removed. Never throws.
 * @returns the event that the prepared report is to be sent as, or null when the command came to nothing
 */
export async function settleFilesOf(entry: CommandEntry, parts: FileParts): Promise<ResultEvent | null> {
  if (entry.command === null) return null;
  try {
    const command = openCommand(entry.type, entry.command, parts.identity);
    if (isCommandOf(command, 'job:execute')) return await settleBackup(entry, command, parts);
    return isCommandOf(command, 'backup:export') ? await settleExportOf(entry, command, parts) : null;
  } catch (error) {
    parts.log.warn(
      { commandId: entry.id, error: errorBodyOf(error) },
      'What an interrupted command left on the disk stays there',
    );
    return null;
  }
}

async function settleBackup(
  entry: CommandEntry,
  { payload }: CommandEnvelope<'job:execute'>,
  { home }: FileParts,
): Promise<ResultEvent | null> {
  const { agentPath, location } = payload;
  if (agentPath === null) return null;
  if (entry.prepared !== null && (await hasManifest(home, { agentPath, location }, entry.prepared.manifestSha256)))
    return 'backup:completed';
  await removeAttempt(home, { agentPath, location });
  return null;
}

async function hasManifest(
  home: AgentHome,
  { agentPath, location }: { agentPath: string; location: BackupPayload['location'] },
  sha256: unknown,
): Promise<boolean> {
  const bytes = await readFile(join(await attemptFolder(home, agentPath, location), MANIFEST_OBJECT)).catch(() => null);
  return bytes !== null && createHash('sha256').update(bytes).digest('hex') === sha256;
}

async function settleExportOf(
  entry: CommandEntry,
  { commandId, payload }: CommandEnvelope<'backup:export'>,
  { home }: FileParts,
): Promise<ResultEvent | null> {
  const place = await exportPlace(home, { fileName: payload.fileName, commandId });
  const sizeBytes = entry.prepared?.sizeBytes;
  const isWhole = await settleExport(place, typeof sizeBytes === 'number' ? sizeBytes : null);
  return isWhole ? 'backup:export:result' : null;
}
