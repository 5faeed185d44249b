import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** Begins the name of what is being written into a cache folder. */
export const TEMPORARY = '.tmp-';
/** A copy that was being written when the agent died; a younger one may belong to a run beside this one. */
const ABANDONED_AFTER_MS = 24 * 3_600_000;

/** A copy that is being written into a cache folder. It may fail at any moment, which only means that there will be none. */
export class CacheFile {
  private readonly hash = createHash('sha256');
  private sizeBytes = 0;

  private constructor(
    private readonly folder: string,
    private readonly temporary: string,
    private readonly maxBytes: number,
    private file: FileHandle | null,
  ) {}

  /** Never throws: without a disk it takes nothing. */
  static async begin(folder: string, maxBytes: number): Promise<CacheFile> {
    const temporary = join(folder, `${TEMPORARY}${randomBytes(8).toString('hex')}`);
    let file: FileHandle | null = null;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      file = await open(temporary, 'wx', 0o600);
    } catch {
      // No copy then.
    }
    return new CacheFile(folder, temporary, maxBytes, file);
  }

  async write(bytes: Buffer): Promise<void> {
    if (!this.file) return;
    this.sizeBytes += bytes.length;
    try {
      if (this.sizeBytes > this.maxBytes) throw new Error('larger than the whole cache');
      for (let written = 0; written < bytes.length;) written += (await this.file.write(bytes, written)).bytesWritten;
      this.hash.update(bytes);
    } catch {
      await this.discard();
    }
  }

  /** Gives the copy its name. False, and nothing is kept, unless its SHA-256 (hex) is `sha256`. */
  async keep(sha256: string): Promise<boolean> {
    const { file } = this;
    if (!file || this.hash.digest('hex') !== sha256) {
      await this.discard();
      return false;
    }
    this.file = null;
    try {
      await file.close();
      await rename(this.temporary, join(this.folder, sha256));
      return true;
    } catch {
      await rm(this.temporary, { force: true }).catch(() => undefined);
      return false;
    }
  }

  /** May run twice, and after `keep`. */
  async discard(): Promise<void> {
    const { file } = this;
    if (!file) return;
    this.file = null;
    await file.close().catch(() => undefined);
    await rm(this.temporary, { force: true }).catch(() => undefined);
  }
}

/** Removes the least recently used files until the rest has at most `maxBytes`, never `newest`; and what a crash left half written. Never throws. */
export async function evictOldest(folder: string, maxBytes: number, newest: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  const found = await Promise.all(
    names.map(async (name) => {
      const at = await stat(join(folder, name)).catch(() => null);
      return at === null ? null : { name, usedAtMs: at.mtimeMs, sizeBytes: at.size };
    }),
  );
  const files = found.filter((file) => file !== null).sort((left, right) => right.usedAtMs - left.usedAtMs);
  const remove = (name: string): Promise<void> => rm(join(folder, name), { force: true }).catch(() => undefined);
  let total = files.find(({ name }) => name === newest)?.sizeBytes ?? 0;
  for (const { name, usedAtMs, sizeBytes } of files) {
    if (name === newest) continue;
    if (name.startsWith(TEMPORARY)) {
      if (Date.now() - usedAtMs > ABANDONED_AFTER_MS) await remove(name);
      continue;
    }
    total += sizeBytes;
    if (total > maxBytes) await remove(name);
  }
}
