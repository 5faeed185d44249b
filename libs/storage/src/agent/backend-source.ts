import type { Readable } from 'node:stream';
import { AppError } from '@rahatback/contracts';
import type { StorageBackend } from '../server/storage-backend.js';
import type { BackupSource, SourceRange, StoredObject } from './backup-source.js';

/** Reads a backup straight from a bucket or folder, with no server: `restore` of the CLI. Give a backend `withRetry` for patience. */
export class BackendSource implements BackupSource {
  /** `prefix` is the attempt's folder in the storage, without a trailing slash. */
  constructor(
    private readonly backend: Pick<StorageBackend, 'stat' | 'read'>,
    private readonly prefix: string,
  ) {}

  async stat(object: string): Promise<StoredObject> {
    const stat = await this.backend.stat(this.#key(object));
    if (!stat) throw new AppError('OBJECT_MISSING', 'The object is not in the storage.', { object });
    const { sizeBytes, stamp } = stat;
    return { sizeBytes, ...(stamp === undefined ? {} : { stamp }) };
  }

  read(object: string, range?: SourceRange): Promise<Readable> {
    return this.backend.read(this.#key(object), range);
  }

  #key(object: string): string {
    return this.prefix === '' ? object : `${this.prefix}/${object}`;
  }
}
