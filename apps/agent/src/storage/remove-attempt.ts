import { readdir, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crashPoint, MANIFEST_OBJECT } from '@rahatback/backup-core';
import type { BackupLocation } from '@rahatback/contracts';
import { folderError, syncFolder } from '@rahatback/storage/agent';
import type { AgentHome } from '../state/agent-home.js';
import { isMissing } from '../state/atomic-file.js';
import { attemptFolder } from './agent-folder.js';

/** Attempt, backup, database, workspace: what lies below a storage's folder. */
const OWN_LEVELS = 4;

/** The manifest first: from then on there is no backup, only remains; then keys, index, volumes and what was never finished. */
const rankOf = (name: string): number => {
  if (name === MANIFEST_OBJECT) return 0;
  if (/^keys-\d+\.json$/.test(name)) return 1;
  return name === 'index' ? 2 : 3;
};

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort((a, b) => rankOf(a) - rankOf(b));
  } catch (error) {
    if (isMissing(error)) return [];
    throw folderError(error, folder);
  }
}

async function removeFile(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (!isMissing(error)) throw folderError(error, path);
  });
}

/** @returns false when something else is in it, or it belongs to nobody's backup */
async function removeEmpty(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    if (!isMissing(error)) throw folderError(error, folder);
  }
  return true;
}

/**
 * Removes one attempt from this agent's own disk, and the folders above it that are empty then; the storage's own folder stays. May run twice, and
 * again after a crash at any moment. @throws AppError AGENT_POLICY_REFUSED for a folder that is not allowed, PATH_FORBIDDEN, STORAGE_PERMANENT
 */
export async function removeAttempt(
  home: Pick<AgentHome, 'policyFile' | 'backupsDir'>,
  place: { readonly agentPath: string; readonly location: BackupLocation },
  signal?: AbortSignal,
): Promise<void> {
  const attempt = await attemptFolder(home, place.agentPath, place.location);
  for (const name of await namesIn(attempt)) {
    signal?.throwIfAborted();
    await removeFile(join(attempt, name));
    if (name !== MANIFEST_OBJECT) continue;
    await syncFolder(attempt);
    crashPoint('agent.delete.after_manifest');
  }
  let folder = attempt;
  for (let level = 0; level < OWN_LEVELS && (await removeEmpty(folder)); level += 1) folder = dirname(folder);
}
