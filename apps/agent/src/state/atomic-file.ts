import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, readFile, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AppError } from '@rahatback/contracts';

const TEMPORARY = '.tmp-';

const hasCode = (error: unknown, code: string): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === code;
export const isMissing = (error: unknown): boolean => hasCode(error, 'ENOENT');
export const isDiskFull = (error: unknown): boolean => hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT');

/** Makes a rename or a new file of this folder survive a power cut. May run twice. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Replaces a file so that a crash at any moment leaves the old content or the new, never a mixture: temporary file (0600), fsync,
 * rename, fsync of the folder. May run twice.
 */
export async function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, `${TEMPORARY}${basename(path)}-${randomUUID()}`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw isDiskFull(error) ? new AppError('NO_SPACE', `The disk that holds ${directory} is full: free some space.`) : error;
  }
  await syncDirectory(directory);
}

export const writeJsonAtomic = (path: string, value: unknown): Promise<void> =>
  writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);

/** The parsed file, or undefined when it does not exist. @throws AppError DATA_CORRUPT naming the file when it is not JSON. */
export async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new AppError('DATA_CORRUPT', `${path} is damaged: restore it from a copy, or enrol this agent again.`, undefined, {
      cause: error,
    });
  }
}

/** Removes what a crash in the middle of `writeFileAtomic` left. Only for the one process that holds the home's lock. */
export async function removeTemporaries(directory: string): Promise<void> {
  const names = await readdir(directory);
  await Promise.all(names.filter((name) => name.startsWith(TEMPORARY)).map((name) => unlink(join(directory, name))));
}
