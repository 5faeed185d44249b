import { AppError } from '@rahatback/contracts';
import { createHash, hash } from 'node:crypto';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { asAppError } from '../as-app-error.js';
import type { IndexRun } from '../index/index-format.js';
import { INDEX_OBJECT, volumeObject } from '../volumes/object-context.js';
import { FrameReader } from './frame-reader.js';
import { linkAt, type OpenBackup } from './open-backup.js';

/** Frames that are fetched and decoded ahead: 8 MiB or so. */
const READ_AHEAD_RUNS = 8;

export interface DumpReading {
  /** A piece is good until the next one is asked for: its memory is used no longer. Default false: pieces may be kept. */
  readonly lends?: boolean;
}

interface PendingRun {
  readonly run: IndexRun;
  readonly decoded: Promise<Buffer>;
}

/** The chunks of a run, each checked against its id. */
function* chunksOf(backup: OpenBackup, { frame, chunks }: IndexRun, plain: Buffer): Generator<Buffer> {
  for (const { id, length, offset } of chunks) {
    const chunk = plain.subarray(offset, offset + length);
    if (chunk.length !== length || !hash('sha256', chunk, 'buffer').equals(id)) {
      const { volume } = frame;
      const object = volumeObject(volume);
      const backupId = linkAt(backup, frame.backup).manifest.backupId;
      throw new AppError(
        'DATA_CORRUPT',
        `A chunk in ${object} of backup ${backupId} is not what the index says. Use another copy of this backup.`,
        { backupId, object, volume, offset: frame.offset },
      );
    }
    yield chunk;
  }
}

async function* pendingRuns(backup: OpenBackup, frames: FrameReader): AsyncGenerator<PendingRun> {
  const ahead: PendingRun[] = [];
  for await (const line of backup.link.index()) {
    if (line.kind !== 'run') continue;
    const { decoded } = await frames.plain(line.run.frame);
    ahead.push({ run: line.run, decoded });
    if (ahead.length > READ_AHEAD_RUNS) yield ahead.shift() as PendingRun;
  }
  yield* ahead;
}

/**
 * The dump's bytes, in order, as views of at most one chunk. Every chunk is checked, and at the end the whole: a reader must not commit its work
 * before the end has come. A full backup is read as one stream per volume; what points into other backups is fetched by range.
 * @throws AppError DATA_CORRUPT, DATA_TRUNCATED and those of the source
 */
export async function* dumpBytes(backup: OpenBackup, { lends = false }: DumpReading = {}): AsyncGenerator<Buffer> {
  const frames = new FrameReader(backup, lends);
  const whole = createHash('sha256');
  let bytes = 0;
  try {
    for await (const { run, decoded } of pendingRuns(backup, frames)) {
      for (const chunk of chunksOf(backup, run, await decoded)) {
        whole.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    }
  } catch (error) {
    throw asAppError(error);
  } finally {
    frames.close();
  }
  if (bytes !== backup.end.bytes || whole.digest('hex') !== backup.end.sha256) {
    throw new AppError('DATA_CORRUPT', 'The dump as a whole is not what was backed up. Use another copy of this backup.', {
      backupId: backup.link.manifest.backupId,
      object: INDEX_OBJECT,
    });
  }
}

/** `dumpBytes` as a stream. */
export const readDump = (backup: OpenBackup): Readable =>
  Readable.from(dumpBytes(backup), { objectMode: false, highWaterMark: 1024 * 1024 });

/** Writes the plain dump to `writable` and ends it. On an error the target is destroyed, and what it got so far is worth nothing. */
export async function decryptTo(backup: OpenBackup, writable: Writable, signal?: AbortSignal): Promise<void> {
  await pipeline(readDump(backup), writable, { ...(signal ? { signal } : {}) });
}
