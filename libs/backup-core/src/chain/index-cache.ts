import type { BackupSink, BackupSource, CompletedObject, ObjectSink, SourceRange } from '@rahatback/storage/agent';
import { FolderSource } from '@rahatback/storage/agent';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ObjectRecord } from '../volumes/encrypted-object.js';
import { INDEX_OBJECT } from '../volumes/object-context.js';
import { CacheFile, evictOldest } from './cache-file.js';

export const INDEX_CACHE_MAX_BYTES = 2 * 1024 ** 3;

/**
 * Copies of the indexes of this agent's backups in a folder of its own, so that a link does not fetch the index of every link before it. They lie
 * there as they are stored, encrypted, each named by its SHA-256, and are checked against the signed manifest at every use: a damaged copy is
 * dropped and the storage is read instead. The least recently used go first. Nothing here fails a backup: without a copy the storage is read.
 */
export class IndexCache {
  constructor(
    private readonly folder: string,
    private readonly maxBytes = INDEX_CACHE_MAX_BYTES,
  ) {}

  /** `source` with the bytes of `index` taken from here, and fetched into here once. `record`: from the signed manifest. Sizes are still the storage's. */
  source(source: BackupSource, record: ObjectRecord): BackupSource {
    return new CachedIndexSource(source, () => this.find(record).then((found) => found ?? this.fetch(source, record)));
  }

  /** `sink` that leaves a copy of the index here which is written through it: the next link will ask for it. */
  sink(sink: BackupSink): BackupSink {
    return new CopyingSink(
      sink,
      () => CacheFile.begin(this.folder, this.maxBytes),
      (name) => evictOldest(this.folder, this.maxBytes, name),
    );
  }

  /** A checked copy, or null. */
  private async find({ sha256 }: ObjectRecord): Promise<IndexCopy | null> {
    const path = join(this.folder, sha256);
    try {
      const hash = createHash('sha256');
      await pipeline(createReadStream(path), hash);
      if (hash.digest('hex') === sha256) {
        const now = new Date();
        await utimes(path, now, now);
        return { folder: new FolderSource(this.folder), name: sha256 };
      }
    } catch {
      // Not there, or not readable.
    }
    await rm(path, { force: true }).catch(() => undefined);
    return null;
  }

  /** A new copy, or null when it cannot be had: the storage then says itself what is wrong. */
  private async fetch(source: BackupSource, { sha256, storedBytes }: ObjectRecord): Promise<IndexCopy | null> {
    if (storedBytes > this.maxBytes) return null;
    const file = await CacheFile.begin(this.folder, this.maxBytes);
    try {
      for await (const bytes of await source.read(INDEX_OBJECT)) await file.write(bytes as Buffer);
      if (!(await file.keep(sha256))) return null;
      await evictOldest(this.folder, this.maxBytes, sha256);
      return { folder: new FolderSource(this.folder), name: sha256 };
    } catch {
      return null;
    } finally {
      await file.discard();
    }
  }
}

interface IndexCopy {
  readonly folder: FolderSource;
  readonly name: string;
}

class CachedIndexSource implements BackupSource {
  private copy: Promise<IndexCopy | null> | null = null;

  constructor(
    private readonly source: BackupSource,
    private readonly open: () => Promise<IndexCopy | null>,
  ) {}

  stat(object: string): Promise<{ readonly sizeBytes: number }> {
    return this.source.stat(object);
  }

  async read(object: string, range?: SourceRange): Promise<Readable> {
    const copy = object === INDEX_OBJECT ? await (this.copy ??= this.open()) : null;
    return copy ? copy.folder.read(copy.name, range) : this.source.read(object, range);
  }
}

class CopyingSink implements BackupSink {
  private readonly open = new Set<CacheFile>();

  constructor(
    private readonly sink: BackupSink,
    private readonly begin: () => Promise<CacheFile>,
    private readonly onKept: (name: string) => Promise<void>,
  ) {}

  async beginObject(object: string): Promise<ObjectSink> {
    const inner = await this.sink.beginObject(object);
    if (object !== INDEX_OBJECT) return inner;
    const file = await this.begin();
    this.open.add(file);
    return {
      write: async (bytes) => {
        await inner.write(bytes);
        await file.write(bytes);
      },
      complete: async (): Promise<CompletedObject> => {
        const completed = await inner.complete();
        if (await file.keep(completed.sha256)) await this.onKept(completed.sha256);
        await file.discard();
        return completed;
      },
    };
  }

  publish(object: string, bytes: Buffer): Promise<void> {
    return this.sink.publish(object, bytes);
  }

  async abort(): Promise<void> {
    await Promise.all([this.sink.abort(), ...[...this.open].map((file) => file.discard())]);
  }
}
