import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from './local-errors.js';

export const FILE_MODE = 0o600;
export const FOLDER_MODE = 0o700;

/** Makes a file's bytes durable; replaceable so that tests can let a disk fail. */
export type SyncFile = (file: FileHandle) => Promise<void>;
export const syncFile: SyncFile = (file) => file.sync();

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Like link(2), but a missing target folder is made again by `prepare`: a delete may have pruned it in between. EEXIST passes. */
export async function linkInto(source: string, target: string, prepare: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await prepare();
      await link(source, target);
      await syncFolder(dirname(target));
      return;
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || attempt >= 5) throw error;
    }
  }
}

/**
 * Publishes a small file under its name wholly or not at all: temporary file, fsync, link(2), fsync of the folder. EEXIST when the name is taken.
 * No temporary file is left, whatever fails.
 */
export async function writeNew(
  target: string,
  bytes: Buffer,
  options: { temporaryFolder: string; sync: SyncFile; prepare: () => Promise<unknown> },
) {
  const temporary = join(options.temporaryFolder, `put-${basename(target).slice(0, 60)}-${randomBytes(8).toString('hex')}`);
  try {
    const file = await open(temporary, 'wx', FILE_MODE);
    try {
      await file.writeFile(bytes);
      await options.sync(file);
    } finally {
      await file.close();
    }
    await linkInto(temporary, target, options.prepare);
  } finally {
    await unlink(temporary).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
  }
}
