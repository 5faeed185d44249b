import { lstat, mkdir, realpath, rmdir, statfs } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { AppError } from '@rahatback/contracts';
import { assertFolderName, assertObjectKey } from '../../object-key.js';
import { errnoOf, fsCall } from './local-errors.js';
import { FOLDER_MODE, syncFolder } from './local-files.js';

/** Hidden, so that no key can name it (`assertObjectKey` refuses a leading dot). */
export const UPLOADS_FOLDER = '.uploads';

const unreachable = (): AppError =>
  new AppError(
    'STORAGE_UNREACHABLE',
    'The storage folder does not exist. Mount its disk or create the folder, then test the storage again.',
  );

const escape = (): AppError =>
  new AppError(
    'PATH_FORBIDDEN',
    'The storage path leads through a symbolic link or a file. Use real folders below the storage root.',
  );

/**
 * Turns keys into paths that stay inside `root/subfolder`. Symbolic links are refused in every part below the root, so neither a planted link nor
 * a `..` leads outside. The root itself is the operator's word and may be a link.
 */
export class LocalRoot {
  readonly #root: string;
  readonly #folders: readonly string[];

  /** Touches no file. PATH_FORBIDDEN for a relative root or a subfolder that could leave it. */
  constructor(root: string, subfolder: string) {
    if (!isAbsolute(root) || root.includes('\0'))
      throw new AppError('PATH_FORBIDDEN', 'The storage root must be an absolute path.');
    this.#root = root;
    this.#folders = assertFolderName(subfolder).split('/');
  }

  /** The storage's own folder. STORAGE_UNREACHABLE when it is missing: an unmounted disk must not look like an empty storage. */
  async folder(options: { create: boolean }): Promise<string> {
    const root = await realpath(this.#root).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') throw unreachable();
      throw error;
    });
    const folder = await walk(root, this.#folders, options.create);
    if (folder === undefined) throw unreachable();
    return folder;
  }

  /** The path of a key; its folders are made when asked. undefined when a folder on the way is missing. */
  async path(key: string, options: { create: boolean }): Promise<string | undefined> {
    const segments = assertObjectKey(key).split('/');
    const name = segments.pop() ?? '';
    const parent = await walk(await this.folder(options), segments, options.create);
    return parent === undefined ? undefined : join(parent, name);
  }

  /** Where parts and temporary files stand: on the same file system as the objects, so that link(2) works. */
  async uploadsFolder(options: { create: boolean }): Promise<string> {
    const folder = await walk(await this.folder(options), [UPLOADS_FOLDER], options.create);
    return folder ?? join(await this.folder(options), UPLOADS_FOLDER);
  }

  /** Removes the folders that a deleted object left empty. A folder that another process is just filling stays. */
  async prune(path: string): Promise<void> {
    const base = await this.folder({ create: false });
    for (let folder = dirname(path); folder.length > base.length && folder.startsWith(base); folder = dirname(folder)) {
      try {
        await rmdir(folder);
      } catch (error) {
        const errno = errnoOf(error);
        if (errno === 'ENOTEMPTY' || errno === 'EEXIST' || errno === 'ENOENT' || errno === 'EBUSY') return;
        throw error;
      }
    }
  }

  /** Bytes that this process may still write. Creates nothing: a folder not made yet is measured at its root. */
  freeBytes(): Promise<number> {
    return fsCall(async () => {
      const { bavail, bsize } = await statfs(this.#root);
      return bavail * bsize;
    });
  }
}

async function walk(base: string, segments: readonly string[], create: boolean): Promise<string | undefined> {
  let path = base;
  for (const segment of segments) {
    const parent = path;
    path = join(parent, segment);
    if (!(await isFolder(path))) {
      if (!create) return undefined;
      await makeFolder(parent, path);
    }
  }
  return path;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    const stats = await lstat(path);
    if (!stats.isDirectory()) throw escape();
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function makeFolder(parent: string, path: string): Promise<void> {
  try {
    await mkdir(path, { mode: FOLDER_MODE });
    await syncFolder(parent);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST' || !(await isFolder(path))) throw error;
  }
}
