import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { AppError } from '@rahatback/contracts';
import { checkedStream } from '../checked-stream.js';
import { fileStamp } from '../file-stamp.js';
import type { BackupSource, SourceRange, StoredObject } from './backup-source.js';
import { assertFileName, folderError } from './folder-files.js';

/** Reads a backup whose objects are the files of one folder, such as a downloaded one. */
export class FolderSource implements BackupSource {
  constructor(private readonly folder: string) {}

  async stat(object: string): Promise<StoredObject> {
    const path = join(this.folder, assertFileName(object));
    try {
      const stats = await stat(path);
      return { sizeBytes: stats.size, stamp: fileStamp(stats) };
    } catch (error) {
      throw folderError(error, path);
    }
  }

  async read(object: string, range?: SourceRange): Promise<Readable> {
    const path = join(this.folder, assertFileName(object));
    const { sizeBytes } = await this.stat(object);
    const start = range?.start ?? 0;
    const end = range?.end ?? sizeBytes;
    if (end > sizeBytes || start > end)
      throw new AppError('DATA_TRUNCATED', `${path} is shorter than the range that was asked for.`, { start, end, sizeBytes });
    if (start === end) return Readable.from([]);
    try {
      const file = await open(path, 'r');
      return checkedStream(file.createReadStream({ start, end: end - 1, highWaterMark: 256 * 1024 }), end - start, (error) =>
        folderError(error, path),
      );
    } catch (error) {
      throw folderError(error, path);
    }
  }
}
