import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import type { BackupLocation } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { folderError, FolderSource, type BackupSource } from '@rahatback/storage/agent';
import type { AgentHome } from '../state/agent-home.js';
import { isMissing } from '../state/atomic-file.js';
import { isMountPoint } from '../state/mount-point.js';
import { readPolicy } from '../state/policy.js';
import { LazySource } from './lazy-source.js';

type FolderHome = Pick<AgentHome, 'policyFile' | 'backupsDir'>;

const notAllowed = (path: string): AppError =>
  new AppError(
    'AGENT_POLICY_REFUSED',
    `The policy of this agent does not allow the folder ${path}. Allow it on the agent's machine: rahatback-agent policy allow-folder ${path}`,
    { rule: 'storage-folders', path },
  );

const throughLink = (path: string): AppError =>
  new AppError(
    'AGENT_POLICY_REFUSED',
    `${path} leads through a symbolic link to another place, which a backup folder must not. Remove the link, or allow the place that it leads to.`,
    { rule: 'storage-folders', path },
  );

/** An empty mount point looks like a folder in which every backup has been deleted, and takes backups onto the wrong disk. */
const notMounted = (path: string): AppError =>
  new AppError('STORAGE_UNREACHABLE', `The disk of ${path} is not mounted. Mount it, then try again.`, { path });

const forbidden = (path: string, why: string): AppError =>
  new AppError('PATH_FORBIDDEN', `The folder ${JSON.stringify(path)} cannot be used: ${why}. Choose another storagePath.`);

/** What the server was given by a person, as this system writes paths. */
function asWritten(home: FolderHome, agentPath: string): string {
  if (/[\u0000-\u001f\u007f]/.test(agentPath)) throw forbidden(agentPath, 'it holds a control character');
  if (agentPath.split(/[/\\]/).some((segment) => segment === '..' || segment === '.'))
    throw forbidden(agentPath, 'it holds a "." or ".." part');
  if (sep === '/' && (/^[A-Za-z]:/.test(agentPath) || agentPath.includes('\\')))
    throw forbidden(agentPath, 'it is a path of Windows, and this agent runs on another system');
  return isAbsolute(agentPath) ? join(agentPath) : join(home.backupsDir, agentPath);
}

/** The path with every symbolic link followed, as far as it exists; what does not exist yet is taken as it is. */
async function followed(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!isMissing(error)) throw folderError(error, path);
  }
  // A link that leads nowhere exists: whoever makes its target later would decide where the backup goes.
  if (await isThere(path)) throw throughLink(path);
  const above = dirname(path);
  return above === path ? path : join(await followed(above), basename(path));
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

const isWithin = (path: string, root: string): boolean => {
  const way = relative(root, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
};

/**
 * Where `agentPath` of a command is on this machine, links followed: below the agent's own backup folder, or below a folder that the policy allows.
 * @throws AppError AGENT_POLICY_REFUSED with the command to type, STORAGE_UNREACHABLE when its disk is not mounted, PATH_FORBIDDEN, DATA_CORRUPT for a
 * damaged policy
 */
export async function agentFolder(home: FolderHome, agentPath: string): Promise<string> {
  const written = asWritten(home, agentPath);
  const { storageFolders, mounts } = await readPolicy(home);
  const folder = await followed(written);
  for (const mount of mounts) if (isWithin(folder, mount) && !(await isMountPoint(mount))) throw notMounted(mount);
  for (const root of [home.backupsDir, ...storageFolders]) {
    if (isWithin(folder, await followed(root))) return folder;
  }
  throw notAllowed(written);
}

/** An attempt's own folder below it, whether or not it exists. Below a backup folder nothing may be a link. @throws as `agentFolder` */
export async function attemptFolder(
  home: FolderHome,
  agentPath: string,
  { workspaceId, databaseId, backupId, fence }: BackupLocation,
): Promise<string> {
  const path = join(await agentFolder(home, agentPath), workspaceId, databaseId, backupId, String(fence));
  if ((await followed(path)) !== path) throw throughLink(path);
  return path;
}

/** Reads one attempt from this agent's own disk. Policy and links are checked when it is first read. */
export const agentFolderSource = (home: FolderHome, agentPath: string, location: BackupLocation): BackupSource =>
  new LazySource(async () => new FolderSource(await attemptFolder(home, agentPath, location)));
