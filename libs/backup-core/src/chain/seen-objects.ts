import type { BackupSink, CompletedObject, ObjectSink } from '@rahatback/storage/agent';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectRecord } from '../volumes/encrypted-object.js';
import { evictOldest, TEMPORARY } from './cache-file.js';

/** Some 300,000 backups. */
export const SEEN_OBJECTS_MAX_BYTES = 64 * 1024 ** 2;

/** SHA-256 (hex) of the stored bytes, and the store's stamp of them when they were written or read whole. */
interface Sighting {
  readonly sha256: string;
  readonly stamp: string;
}

/**
 * Which stored objects this agent has itself written or read whole, and how the store had stamped them then. What still has its stamp need not be
 * read before a chain is built on it. Nothing here fails a backup: an object that is not known here is read, and a store without stamps is read
 * each time. One small file per backup; the least recently used go first.
 */
export class SeenObjects {
  constructor(
    private readonly folder: string,
    private readonly maxBytes = SEEN_OBJECTS_MAX_BYTES,
  ) {}

  /** `sink` that notes here what is written through it. */
  sink(sink: BackupSink, backupId: string): BackupSink {
    const note = async (object: string, { sha256, stamp }: CompletedObject): Promise<void> => {
      if (stamp !== undefined) await this.note(backupId, { name: object, sha256 }, stamp);
    };
    return {
      beginObject: async (object) => noting(await sink.beginObject(object), (completed) => note(object, completed)),
      publish: (object, bytes) => sink.publish(object, bytes),
      abort: () => sink.abort(),
    };
  }

  /** Whether the very bytes of `record` were seen under this stamp. */
  async has(backupId: string, { name, sha256 }: Pick<ObjectRecord, 'name' | 'sha256'>, stamp: string): Promise<boolean> {
    const sighting = (await this.read(backupId)).get(name);
    return sighting?.sha256 === sha256 && sighting.stamp === stamp;
  }

  /** Called by one run of a backup or chain at a time. */
  async note(backupId: string, { name, sha256 }: Pick<ObjectRecord, 'name' | 'sha256'>, stamp: string): Promise<void> {
    const sightings = await this.read(backupId);
    sightings.set(name, { sha256, stamp });
    const temporary = join(this.folder, `${TEMPORARY}${randomBytes(8).toString('hex')}`);
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      await writeFile(temporary, JSON.stringify(Object.fromEntries(sightings)), { mode: 0o600, flag: 'wx' });
      await rename(temporary, this.path(backupId));
      await evictOldest(this.folder, this.maxBytes, this.name(backupId));
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined);
    }
  }

  private async read(backupId: string): Promise<Map<string, Sighting>> {
    try {
      const found: unknown = JSON.parse(await readFile(this.path(backupId), 'utf8'));
      return new Map(Object.entries(found as Record<string, Sighting>));
    } catch {
      // Not there, or damaged: nothing was seen.
      return new Map();
    }
  }

  private name(backupId: string): string {
    return `${backupId}.json`;
  }

  private path(backupId: string): string {
    return join(this.folder, this.name(backupId));
  }
}

const noting = (sink: ObjectSink, note: (completed: CompletedObject) => Promise<void>): ObjectSink => ({
  write: (bytes) => sink.write(bytes),
  complete: async () => {
    const completed = await sink.complete();
    await note(completed);
    return completed;
  },
});
