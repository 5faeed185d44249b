import type { Readable } from 'node:stream';
import type { BackupSource, SourceRange } from '@rahatback/storage/agent';

/** A source that is found out at its first use, once. */
export class LazySource implements BackupSource {
  #source: Promise<BackupSource> | undefined;

  constructor(private readonly open: () => Promise<BackupSource>) {}

  async stat(object: string): Promise<{ readonly sizeBytes: number }> {
    return (await this.#opened()).stat(object);
  }

  async read(object: string, range?: SourceRange): Promise<Readable> {
    return (await this.#opened()).read(object, range);
  }

  #opened(): Promise<BackupSource> {
    return (this.#source ??= this.open());
  }
}
