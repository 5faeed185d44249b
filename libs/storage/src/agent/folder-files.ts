import { open } from 'node:fs/promises';
import { AppError } from '@rahatback/contracts';
import { assertObjectKey } from '../object-key.js';

/** One object is one file of the folder: no sub-folders. PATH_FORBIDDEN. */
export function assertFileName(object: string): string {
  if (assertObjectKey(object).includes('/'))
    throw new AppError('PATH_FORBIDDEN', `The object name ${JSON.stringify(object)} is not a file name.`);
  return object;
}

/** Ends the name of a file that is being written. */
export const PARTIAL_SUFFIX = '.partial';

/** What was named in a folder, or removed from it, is so after a power cut. Throws Node's own errors. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  await folder.sync().finally(() => folder.close());
}

/** What a person's own folder can answer. The path is theirs, so it may be named. */
export function folderError(error: unknown, path: string): AppError {
  if (error instanceof AppError) return error;
  const errno = String((error as NodeJS.ErrnoException | null)?.code ?? 'unknown error');
  switch (errno) {
    case 'ENOENT':
      return new AppError('OBJECT_MISSING', `There is no file ${path}.`);
    case 'EEXIST':
      return new AppError('OBJECT_EXISTS', `The file ${path} exists already and is never overwritten.`);
    case 'ENOSPC':
    case 'EDQUOT':
      return new AppError('NO_SPACE', `The disk of ${path} is full. Free some space, then try again.`);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'ENOTDIR':
      return new AppError('PATH_FORBIDDEN', `${path} cannot be used (${errno}). Check the folder and its permissions.`);
    default:
      return new AppError('STORAGE_PERMANENT', `${path} could not be used (${errno}). Check the disk.`);
  }
}
