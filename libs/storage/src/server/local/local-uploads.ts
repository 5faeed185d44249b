import { createHash, randomBytes } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { access, lstat, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@rahatback/contracts';
import { fileStamp } from '../../file-stamp.js';
import { STORAGE_PART_SIZE_BYTES } from '../../limits.js';
import { assertParts, multipartEtag } from '../part-check.js';
import type { CompleteUploadRequest, ObjectStat, StoredPart, StoredUpload } from '../storage-backend.js';
import { errnoOf } from './local-errors.js';
import { FILE_MODE, FOLDER_MODE, linkInto, syncFolder } from './local-files.js';
import type { SyncFile } from './local-files.js';
import type { LocalRoot } from './local-root.js';

const UPLOAD_ID = /^[0-9a-f]{32}$/;
const CLAIM = /^part-(\d+)\.json$/;

/** Parts are written at their offsets into this one file, which becomes the object without being copied. */
export const STAGING_FILE = 'staging';
/** The staging file once it is being completed: late parts no longer find it. */
const SEALED_FILE = 'sealed';
const ABOUT_FILE = 'upload.json';

export interface PartClaim {
  readonly sizeBytes: number;
  readonly md5Hex: string;
  readonly sha256Hex: string;
}

export const claimFile = (partNumber: number): string => `part-${partNumber}.json`;
export const doneFile = (partNumber: number): string => `part-${partNumber}.done`;

export const uploadMissing = (): AppError =>
  new AppError(
    'UPLOAD_MISSING',
    'The upload does not exist any more: it was completed, aborted or cleaned up. Start the backup again.',
  );

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    (error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return false;
      throw error;
    },
  );

/** Uploads in parts on a file system: `.uploads/<uploadId>/{upload.json, staging, part-<n>.json, part-<n>.done}`. Throws raw file errors and AppErrors. */
export class LocalUploads {
  constructor(
    private readonly root: LocalRoot,
    private readonly sync: SyncFile,
  ) {}

  /** The folder appears under its final name only when it is whole, so a crash leaves no upload that nobody can name. */
  async create(key: string): Promise<string> {
    const uploads = await this.root.uploadsFolder({ create: true });
    const uploadId = randomBytes(16).toString('hex');
    const fresh = join(uploads, `new-${uploadId}`);
    try {
      await mkdir(fresh, { mode: FOLDER_MODE });
      await writeFile(join(fresh, STAGING_FILE), '', { flag: 'wx', mode: FILE_MODE });
      const about = JSON.stringify({ key, startedAt: new Date().toISOString() });
      await writeFile(join(fresh, ABOUT_FILE), about, { flag: 'wx', mode: FILE_MODE, flush: true });
      await syncFolder(fresh);
      await rename(fresh, join(uploads, uploadId));
    } catch (error) {
      await rm(fresh, { recursive: true, force: true });
      throw error;
    }
    await syncFolder(uploads);
    return uploadId;
  }

  /** The folder of an upload of this key, else UPLOAD_MISSING. */
  async folderOf(key: string, uploadId: string): Promise<string> {
    if (!UPLOAD_ID.test(uploadId)) throw uploadMissing();
    const folder = join(await this.root.uploadsFolder({ create: false }), uploadId);
    const about = await readAbout(folder);
    if (about?.key !== key) throw uploadMissing();
    return folder;
  }

  async listParts(key: string, uploadId: string): Promise<readonly StoredPart[]> {
    const folder = await this.folderOf(key, uploadId);
    const names = new Set(await readdir(folder));
    const parts: StoredPart[] = [];
    for (const name of names) {
      const partNumber = Number(CLAIM.exec(name)?.[1]);
      if (!partNumber || !names.has(doneFile(partNumber))) continue;
      const claim = JSON.parse(await readFile(join(folder, name), 'utf8')) as PartClaim;
      parts.push({ partNumber, sizeBytes: claim.sizeBytes, etag: claim.md5Hex });
    }
    return parts.sort((a, b) => a.partNumber - b.partNumber);
  }

  async complete(request: CompleteUploadRequest): Promise<ObjectStat> {
    let folder: string;
    try {
      folder = await this.folderOf(request.key, request.uploadId);
    } catch (error) {
      if (error instanceof AppError && error.code === 'UPLOAD_MISSING') return this.#alreadyComplete(request);
      throw error;
    }
    try {
      return await this.#completeIn(folder, request);
    } catch (error) {
      // Somebody else completed the same upload meanwhile and took its folder away: what stands under the key decides.
      if (await isThere(join(folder, ABOUT_FILE))) throw error;
      return this.#alreadyComplete(request).catch(() => {
        throw error;
      });
    }
  }

  async #completeIn(folder: string, request: CompleteUploadRequest): Promise<ObjectStat> {
    assertParts(request, await this.listParts(request.key, request.uploadId));
    const sealed = await this.#seal(folder, request);
    const target = await this.root.path(request.key, { create: true });
    if (target === undefined) throw uploadMissing();
    try {
      await linkInto(sealed, target, () => this.root.path(request.key, { create: true }));
    } catch (error) {
      // Same inode: an earlier run linked it and died before it could clean up.
      if (errnoOf(error) !== 'EEXIST' || !(await isSameFile(sealed, target))) throw error;
    }
    await removeFolder(folder);
    // Only now: the name that was taken away changed the file's stamp.
    const stats = await stat(target);
    return { key: request.key, sizeBytes: stats.size, modifiedAt: stats.mtime, stamp: fileStamp(stats) };
  }

  async abort(key: string, uploadId: string): Promise<void> {
    try {
      await removeFolder(await this.folderOf(key, uploadId));
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'UPLOAD_MISSING')) throw error;
    }
  }

  async *list(prefix: string): AsyncGenerator<StoredUpload> {
    for (const uploadId of await this.#names()) {
      if (!UPLOAD_ID.test(uploadId)) continue;
      const about = await readAbout(join(await this.root.uploadsFolder({ create: false }), uploadId));
      if (about?.key.startsWith(prefix)) yield { key: about.key, uploadId, startedAt: new Date(about.startedAt) };
    }
  }

  /** Removes what a killed process left behind: temporary files and half-made upload folders older than the given age. Returns how many. */
  async removeStale(olderThanMs: number): Promise<number> {
    let removed = 0;
    const uploads = await this.root.uploadsFolder({ create: false });
    for (const name of await this.#names()) {
      if (UPLOAD_ID.test(name)) continue;
      const path = join(uploads, name);
      const stats = await lstat(path).catch(() => undefined);
      if (!stats || Date.now() - stats.mtimeMs < olderThanMs) continue;
      await rm(path, { recursive: true, force: true });
      removed += 1;
    }
    return removed;
  }

  async #names(): Promise<string[]> {
    const uploads = await this.root.uploadsFolder({ create: false });
    return (await isThere(uploads)) ? readdir(uploads) : [];
  }

  /** Takes the staging file out of reach of late parts and makes it durable. A disk that fails here loses the upload: fsync may not be tried twice. */
  async #seal(folder: string, request: CompleteUploadRequest): Promise<string> {
    const sealed = join(folder, SEALED_FILE);
    await rename(join(folder, STAGING_FILE), sealed).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
    const file = await open(sealed, constants.O_RDWR | constants.O_NOFOLLOW);
    try {
      const { size } = await file.stat();
      if (size !== request.expectedSizeBytes) {
        throw new AppError(
          'PART_INVALID',
          `The storage holds ${size} bytes of this object, it should have ${request.expectedSizeBytes}.`,
          { size },
        );
      }
      await this.sync(file).catch(async (error: unknown) => {
        await removeFolder(folder);
        throw error;
      });
    } finally {
      await file.close();
    }
    return sealed;
  }

  /** No upload is left: either it was completed and the answer got lost, or it never was. The object's bytes decide. */
  async #alreadyComplete(request: CompleteUploadRequest): Promise<ObjectStat> {
    const path = await this.root.path(request.key, { create: false });
    const stats = path === undefined ? undefined : await stat(path).catch(() => undefined);
    if (path === undefined || !stats) throw uploadMissing();
    const isSame =
      stats.size === request.expectedSizeBytes &&
      (await etagOfFile(path)) === multipartEtag(request.parts.map((part) => part.md5Hex));
    if (!isSame) throw Object.assign(new Error('taken'), { code: 'EEXIST' });
    return { key: request.key, sizeBytes: stats.size, modifiedAt: stats.mtime, stamp: fileStamp(stats) };
  }
}

async function readAbout(folder: string): Promise<{ key: string; startedAt: string } | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, ABOUT_FILE), 'utf8')) as { key: string; startedAt: string };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** `upload.json` goes first: without it the upload is gone for everyone, and a part that is just arriving cannot revive it. */
async function removeFolder(folder: string): Promise<void> {
  await rm(join(folder, ABOUT_FILE), { force: true });
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([stat(a, { bigint: true }), stat(b, { bigint: true })]);
  return first.ino === second.ino && first.dev === second.dev;
}

async function etagOfFile(path: string): Promise<string> {
  const md5Hexes: string[] = [];
  let hash = createHash('md5');
  let filled = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    filled += chunk.length;
    if (filled < STORAGE_PART_SIZE_BYTES) continue;
    md5Hexes.push(hash.digest('hex'));
    hash = createHash('md5');
    filled = 0;
  }
  if (filled > 0) md5Hexes.push(hash.digest('hex'));
  return multipartEtag(md5Hexes);
}
