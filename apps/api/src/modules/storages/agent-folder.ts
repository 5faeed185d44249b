import { AppError } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { StorageRow, type StorageSettings } from './storage.entity.js';

/** A `local` storage that is a folder on an agent's own disk: only that agent writes, reads and deletes there, and its policy has the last word. */
export interface AgentFolder {
  readonly agentId: string;
  readonly path: string;
}

const MAX_PATH_BYTES = 500;

const invalidPath = (why: string): AppError =>
  new AppError('PATH_FORBIDDEN', `storagePath is not allowed: ${why}. Give a folder such as "backups/shop" or "/mnt/backups".`);

/**
 * A folder as a person types it for an agent's disk: absolute, or below the agent's own backup folder. Whether it may be used is for the agent to
 * say; Windows' own forms are left to it too. @returns it without needless separators @throws AppError PATH_FORBIDDEN
 */
export function checkAgentPath(path: string): string {
  if (path.trim() !== path || path === '') throw invalidPath('it is empty, or begins or ends with a space');
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw invalidPath(`it has more than ${MAX_PATH_BYTES} bytes`);
  if (/[\u0000-\u001f\u007f]/.test(path)) throw invalidPath('it holds a control character');
  const segments = path.split(/[/\\]/);
  if (segments.includes('..') || segments.includes('.')) throw invalidPath('it holds a "." or ".." part');
  const plain = path.replace(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '');
  if (plain === '/') throw invalidPath('it is the root of the disk');
  return plain;
}

/** The folder that a storage is, or null for one that the server reaches by itself. */
export const agentFolderOf = ({ settings }: { readonly settings: StorageSettings }): AgentFolder | null =>
  settings.agentId === undefined ? null : { agentId: settings.agentId, path: settings.path ?? '' };

/** The same for a storage's id, deleted or not; null also for one that is not there. */
export async function agentFolderAt(tx: Tx, storageId: string): Promise<AgentFolder | null> {
  const row = await tx.findOneBy(StorageRow, { id: storageId });
  return row === null ? null : agentFolderOf(row);
}

/**
 * `agentPath` of a command that reads or writes a storage: the folder on the agent's own disk, or null where the server signs URLs.
 * @param agentId the agent that will get the command
 * @throws AppError CONFLICT when the folder is on another agent's disk
 */
export async function agentPathOf(tx: Tx, storageId: string, agentId: string): Promise<string | null> {
  const folder = await agentFolderAt(tx, storageId);
  if (folder === null) return null;
  if (folder.agentId === agentId) return folder.path;
  throw new AppError(
    'CONFLICT',
    "This backup lies on another agent's own disk, and only that agent can read it. Do this on the agent that made it, or copy the folder and use its command line.",
    { agentId: folder.agentId },
  );
}
