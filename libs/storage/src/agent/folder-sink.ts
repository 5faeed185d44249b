import { createHash, randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@rahatback/contracts';
import type { BackupSink, CompletedObject, ObjectSink } from './backup-sink.js';
import { assertFileName, folderError } from './folder-files.js';

/** Writes a backup into a plain folder, which it makes (0700). Files (0600) appear under their names by link(2), durable and whole, or never. */
export class FolderSink implements BackupSink {
  readonly #open = new Set<FolderObject>();

  constructor(private readonly folder: string) {}

  async beginObject(object: string): Promise<ObjectSink> {
    const path = join(this.folder, assertFileName(object));
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      const temporary = `${path}.${randomBytes(6).toString('hex')}.partial`;
      const sink: FolderObject = new FolderObject(await open(temporary, 'wx', 0o600), temporary, path, () =>
        this.#open.delete(sink),
      );
      this.#open.add(sink);
      return sink;
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
    await Promise.all([...this.#open].map((sink) => sink.discard()));
  }
}

class FolderObject implements ObjectSink {
  readonly #sha256 = createHash('sha256');
  #sizeBytes = 0;

  constructor(
    private readonly file: FileHandle,
    private readonly temporary: string,
    private readonly path: string,
    private readonly onEnd: () => void,
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
      const folder = await open(join(this.path, '..'));
      await folder.sync().finally(() => folder.close());
    } catch (error) {
      throw folderError(error, this.path);
    } finally {
      await this.discard();
    }
    return { sizeBytes: this.#sizeBytes, sha256: this.#sha256.digest('hex') };
  }

  /** Closes and removes the temporary file; may run twice. */
  async discard(): Promise<void> {
    this.onEnd();
    await this.file.close().catch(() => undefined);
    await unlink(this.temporary).catch(() => undefined);
  }
}
