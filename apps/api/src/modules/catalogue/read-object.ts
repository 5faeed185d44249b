import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { AppError } from '@rahatback/contracts';
import type { StorageBackend } from '@rahatback/storage';

/** Null only when the store positively says that the object is not there. */
async function unlessMissing<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AppError && error.code === 'OBJECT_MISSING') return null;
    throw error;
  }
}

/** A whole small object; the caller has looked at its size. */
export const readWhole = (backend: StorageBackend, key: string): Promise<Buffer | null> =>
  unlessMissing(async () => buffer(await backend.read(key)));

/** SHA-256 (hex) of an object of any size, in constant memory. */
export const sha256Of = (backend: StorageBackend, key: string): Promise<string | null> =>
  unlessMissing(async () => {
    const hash = createHash('sha256');
    for await (const bytes of await backend.read(key)) hash.update(bytes as Buffer);
    return hash.digest('hex');
  });
