import { createHash, randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rmdir, stat, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '@rahatback/contracts';
import { fileStamp } from '../file-stamp.js';
import type { BackupSink, CompletedObject, ObjectSink } from './backup-sink.js';
import { assertFileName, folderError, PARTIAL_SUFFIX, syncFolder } from './folder-files.js';

const aborted = (): AppError => new AppError('CANCELLED', 'The backup was given up: its files are removed.');

/**
 * Writes a backup into a plain folder, which it makes (0700). Files (0600) appear under their names by link(2), durable and whole, or never.
 * `abort` takes away every file and folder that this sink has made, also completed ones: without a manifest they are of no use.
 */
export class FolderSink implements BackupSink {
  readonly #open = new Set<FolderObject>();
  /** In the order in which they were completed: the manifest is the last. */
  readonly #stored: string[] = [];
  /** The uppermost folder that was not there before. */
  #made: string | undefined;
  #isAborted = false;

  constructor(private readonly folder: string) {}

  async beginObject(object: string): Promise<ObjectSink> {
    const path = join(this.folder, assertFileName(object));
    try {
      const temporary = `${path}.${randomBytes(6).toString('hex')}${PARTIAL_SUFFIX}`;
      const sink: FolderObject = new FolderObject(await this.#create(temporary), temporary, path, {
        stored: () => this.#keep(path),
        ended: () => this.#open.delete(sink),
      });
      this.#open.add(sink);
      if (!this.#isAborted) return sink;
      await sink.discard();
      throw aborted();
    } catch (error) {
      throw folderError(error, path);
    }
  }

  async publish(object: string, bytes: Buffer): Promise<void> {
    const sink = await this.beginObject(object);
    await sink.write(bytes);
    try {
      await sink.complete();
    } catch (error) {
      const path = join(this.folder, object);
      if (!(error instanceof AppError && error.code === 'OBJECT_EXISTS') || !(await readFile(path)).equals(bytes)) throw error;
    }
  }

  async abort(): Promise<void> {
    this.#isAborted = true;
    await Promise.all([...this.#open].map((sink) => sink.discard()));
    for (const path of this.#stored.splice(0).reverse()) await unlink(path).catch(() => undefined);
    await this.#removeFolders();
  }

  /** Called right after a file got its name. An abort that came meanwhile has not seen it. */
  async #keep(path: string): Promise<void> {
    this.#stored.push(path);
    if (!this.#isAborted) return;
    await this.abort();
    throw aborted();
  }

  async #create(temporary: string): Promise<FileHandle> {
    for (let attempt = 1; ; attempt += 1) {
      const made = await mkdir(this.folder, { recursive: true, mode: 0o700 });
      this.#made ??= made;
      try {
        if (made !== undefined) await this.#syncMade(made);
        return await open(temporary, 'wx', 0o600);
      } catch (error) {
        // Another backup beside this one may just have removed the empty folder that it had made.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === 3) throw error;
      }
    }
  }

  /** A folder survives a power cut when the one above it is on the disk. */
  async #syncMade(made: string): Promise<void> {
    for (let path = this.folder; ; path = dirname(path)) {
      await syncFolder(dirname(path));
      if (path === made || path === dirname(path)) return;
    }
  }

  async #removeFolders(): Promise<void> {
    if (this.#made === undefined) return;
    for (let path = this.folder; path.startsWith(this.#made); path = dirname(path)) {
      const isGone = await rmdir(path).then(
        () => true,
        () => false,
      );
      if (!isGone) return;
    }
  }
}

interface FolderObjectEvents {
  readonly stored: () => Promise<void>;
  readonly ended: () => void;
}

class FolderObject implements ObjectSink {
  readonly #sha256 = createHash('sha256');
  #sizeBytes = 0;

  constructor(
    private readonly file: FileHandle,
    private readonly temporary: string,
    private readonly path: string,
    private readonly on: FolderObjectEvents,
  ) {}

  async write(bytes: Buffer): Promise<void> {
    try {
      for (let written = 0; written < bytes.length;) {
        const result = await this.file.write(bytes, written, bytes.length - written, this.#sizeBytes + written);
        written += result.bytesWritten;
      }
    } catch (error) {
      await this.discard();
      throw folderError(error, this.path);
    }
    this.#sha256.update(bytes);
    this.#sizeBytes += bytes.length;
  }

  async complete(): Promise<CompletedObject> {
    try {
      await this.file.sync();
      await link(this.temporary, this.path);
      await this.on.stored();
      await syncFolder(dirname(this.path));
    } catch (error) {
      throw folderError(error, this.path);
    } finally {
      await this.discard();
    }
    // Only now: the temporary name that was taken away changed the file's stamp.
    const stats = await stat(this.path).catch(() => undefined);
    const stamp = stats && { stamp: fileStamp(stats) };
    return { sizeBytes: this.#sizeBytes, sha256: this.#sha256.digest('hex'), ...stamp };
  }

  /** Closes and removes the temporary file; may run twice. */
  async discard(): Promise<void> {
    this.on.ended();
    await this.file.close().catch(() => undefined);
    await unlink(this.temporary).catch(() => undefined);
  }
}
