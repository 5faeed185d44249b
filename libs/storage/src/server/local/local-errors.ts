import { AppError } from '@rahatback/contracts';
import type { ErrorCode } from '@rahatback/contracts';

const CODES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: ['NO_SPACE', 'The disk of this storage is full. Free some space, then run the backup again.'],
  EDQUOT: ['NO_SPACE', 'The disk quota of this storage is used up. Free some space, then run the backup again.'],
  EFBIG: ['NO_SPACE', 'The file system of this storage cannot hold a file this large. Use another file system.'],
  ENOENT: ['OBJECT_MISSING', 'The object is not in the storage.'],
  EROFS: ['PATH_FORBIDDEN', 'The storage folder is on a read-only file system. Mount it writable or choose another folder.'],
  EACCES: ['PATH_FORBIDDEN', 'The server may not use the storage folder. Give its user the right to read and write there.'],
  EPERM: [
    'PATH_FORBIDDEN',
    'The server may not use the storage folder, or its file system has no hard links. Choose a folder on a local file system.',
  ],
  ENOTSUP: ['PATH_FORBIDDEN', 'The file system of the storage folder has no hard links. Choose a folder on a local file system.'],
  ENOTDIR: ['PATH_FORBIDDEN', 'A part of the storage path is a file, not a folder. Correct the path.'],
  ELOOP: ['PATH_FORBIDDEN', 'A part of the storage path is a symbolic link. Give the real folder.'],
  ENAMETOOLONG: ['PATH_FORBIDDEN', 'The storage path is too long. Choose a shorter folder.'],
  // An fsync that failed may succeed the next time although the bytes are lost, so an I/O error is never retried.
  EIO: ['STORAGE_PERMANENT', 'The disk of this storage reported an I/O error. Check the disk before the next backup.'],
  EBUSY: ['STORAGE_TRANSIENT', 'The storage folder is busy. It is tried again.'],
  EAGAIN: ['STORAGE_TRANSIENT', 'The storage folder is busy. It is tried again.'],
  EMFILE: ['STORAGE_TRANSIENT', 'The server has too many open files. It is tried again.'],
  ENFILE: ['STORAGE_TRANSIENT', 'The server has too many open files. It is tried again.'],
  ESTALE: ['STORAGE_TRANSIENT', 'The network file system of the storage folder lost its handle. It is tried again.'],
  ETIMEDOUT: ['STORAGE_TRANSIENT', 'The network file system of the storage folder does not answer. It is tried again.'],
  ENODEV: ['STORAGE_UNREACHABLE', 'The disk of this storage is gone. Mount it again.'],
  ENXIO: ['STORAGE_UNREACHABLE', 'The disk of this storage is gone. Mount it again.'],
};

export const errnoOf = (error: unknown): string | undefined => {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return typeof code === 'string' ? code : undefined;
};

/** Everything that the file system can throw, in our codes. The message of Node's error names the server's own paths, so it is not passed on. */
export function translateFsError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const errno = errnoOf(error);
  const known = errno === undefined ? undefined : CODES[errno];
  if (known) return new AppError(known[0], known[1], { errno });
  return new AppError(
    'STORAGE_PERMANENT',
    `The storage folder could not be used (${errno ?? 'unknown error'}). Check the disk and the server's log.`,
    {
      errno: errno ?? null,
    },
  );
}

/** Runs file work and translates what it throws. */
export async function fsCall<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translateFsError(error);
  }
}
