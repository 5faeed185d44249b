import { constants } from 'node:fs';
import { open, readFile, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from '@rahatback/contracts';
import { isDiskFull, isMissing, syncDirectory, writeFileAtomic } from '../state/atomic-file.js';
import { encodeLine, replayJournal } from './journal-line.js';

interface Waiting {
  readonly record: unknown;
  readonly applied: () => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const APPEND = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND;

async function readOrEmpty(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isMissing(error)) return Buffer.alloc(0);
    throw error;
  }
}

const appendFailure = (path: string, cause: unknown): unknown =>
  isDiskFull(cause)
    ? new AppError(
        'NO_SPACE',
        `The disk that holds ${path} is full: free some space. Nothing that was recorded is lost.`,
        undefined,
        {
          cause,
        },
      )
    : cause;

/**
 * Append-only file of checksummed lines. Whatever waits when a write begins goes out in one write and one fdatasync, so a burst of commands
 * costs a few syncs and not one each.
 */
export class JournalFile {
  #waiting: Waiting[] = [];
  #tail: Promise<void> = Promise.resolve();
  #flushQueued = false;
  #broken: unknown;

  private constructor(
    readonly path: string,
    private handle: FileHandle,
    private lengthBytes: number,
  ) {}

  /**
   * Opens and replays it; a torn tail is cut off first.
   * @throws AppError DATA_CORRUPT when a line that had been fsynced is broken: guessing could run a command twice
   */
  static async open(path: string): Promise<{ file: JournalFile; records: readonly unknown[] }> {
    const replay = replayJournal(await readOrEmpty(path));
    if (replay.damagedAtByte !== undefined) {
      throw new AppError(
        'DATA_CORRUPT',
        `The journal ${path} is damaged at byte ${replay.damagedAtByte}. Check the disk, then move the file away: ` +
          'the server then settles what was running, and no backup is lost.',
      );
    }
    const handle = await open(path, APPEND, 0o600);
    await handle.truncate(replay.validBytes);
    await handle.datasync();
    await syncDirectory(dirname(path));
    return { file: new JournalFile(path, handle, replay.validBytes), records: replay.records };
  }

  get sizeBytes(): number {
    return this.lengthBytes;
  }

  /**
   * Durable when it resolves. Records keep the order of the calls. `applied` runs as soon as the record is durable, before any compaction.
   * @throws AppError NO_SPACE; the file then is as before
   */
  append(record: unknown, applied: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ record, applied, resolve, reject });
      if (this.#flushQueued) return;
      this.#flushQueued = true;
      this.#enqueue(() => this.#flush()).catch(() => undefined);
    });
  }

  /** Replaces the content by these records, atomically. `snapshot` is called when all earlier appends are in the file. */
  compact(snapshot: () => readonly unknown[]): Promise<void> {
    return this.#enqueue(async () => {
      const records = snapshot();
      const content = records.map((record) => encodeLine(0, record)).join('');
      await writeFileAtomic(this.path, content);
      const replaced = this.handle;
      this.handle = await open(this.path, APPEND, 0o600);
      this.lengthBytes = Buffer.byteLength(content);
      await replaced.close();
    });
  }

  /** Waits for what was appended, and closes. */
  close(): Promise<void> {
    return this.#enqueue(() => this.handle.close());
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  async #flush(): Promise<void> {
    this.#flushQueued = false;
    const batch = this.#waiting;
    this.#waiting = [];
    if (this.#broken !== undefined) {
      batch.forEach(({ reject }) => reject(this.#broken));
      return;
    }
    const bytes = Buffer.from(batch.map(({ record }) => encodeLine(this.lengthBytes, record)).join(''), 'utf8');
    try {
      await this.handle.appendFile(bytes);
      await this.handle.datasync();
    } catch (error) {
      const failure = appendFailure(this.path, error);
      // With half a line left behind, later lines could not be told from damage: then nothing more is recorded.
      await this.handle.truncate(this.lengthBytes).catch(() => (this.#broken = failure));
      batch.forEach(({ reject }) => reject(failure));
      return;
    }
    this.lengthBytes += bytes.length;
    for (const { applied, resolve } of batch) {
      applied();
      resolve();
    }
  }
}
