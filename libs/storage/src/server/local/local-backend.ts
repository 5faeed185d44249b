import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { lstat, open, readFile, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { AppError } from '@rahatback/contracts';
import type { SignedRequest } from '@rahatback/contracts';
import { checkedStream } from '../../checked-stream.js';
import { fileStamp } from '../../file-stamp.js';
import { assertKeyPrefix, assertObjectKey } from '../../object-key.js';
import { assertExpiry, assertSignable } from '../part-check.js';
import { probeBackend } from '../probe.js';
import type {
  ByteRange,
  CompleteUploadRequest,
  ObjectStat,
  ProbeAnswer,
  SignPartRequest,
  SignReadRequest,
  StorageBackend,
  StoredPart,
  StoredUpload,
} from '../storage-backend.js';
import { errnoOf, fsCall, translateFsError } from './local-errors.js';
import { syncFile, syncFolder, writeNew } from './local-files.js';
import type { SyncFile } from './local-files.js';
import { listObjects } from './local-list.js';
import { writePart } from './local-part-writer.js';
import { LocalRoot } from './local-root.js';
import { LocalUploads } from './local-uploads.js';

/** What a part's URL stands for. The signer must bind every field; `putPart` believes them. */
export interface LocalPartPayload {
  readonly key: string;
  readonly uploadId: string;
  readonly partNumber: number;
  readonly sizeBytes: number;
  readonly sha256Hex: string;
  readonly md5Base64: string;
  readonly expiresAt: string;
}

export interface LocalReadPayload {
  readonly key: string;
  readonly expiresAt: string;
}

/** The API makes the URLs, since it serves them: PUT parts end in `putPart`, GET reads in `read`. */
export interface LocalUrlSigner {
  signPart(payload: LocalPartPayload): Promise<{ url: string; headers?: Readonly<Record<string, string>> }>;
  signRead(payload: LocalReadPayload): Promise<{ url: string; headers?: Readonly<Record<string, string>> }>;
}

export interface LocalBackendConfig {
  /** The server's storage root, absolute. */
  readonly root: string;
  /** Folder below the root: this storage's own. */
  readonly subfolder: string;
  readonly signer: LocalUrlSigner;
  /** For tests: a disk whose fsync fails. */
  readonly sync?: SyncFile;
}

const taken = (key: string): AppError =>
  new AppError('OBJECT_EXISTS', 'Another object of this name exists already and is never overwritten.', { key });

const missing = (key: string): AppError => new AppError('OBJECT_MISSING', 'The object is not in the storage.', { key });

/** Objects as files below the server's storage root: names appear by link(2), whole or never; folders 0700, files 0600. */
export class LocalBackend implements StorageBackend {
  readonly kind = 'local';
  readonly #root: LocalRoot;
  readonly #uploads: LocalUploads;
  readonly #signer: LocalUrlSigner;
  readonly #sync: SyncFile;

  /** Touches no file. PATH_FORBIDDEN for a root or subfolder that is not allowed. */
  constructor(config: LocalBackendConfig) {
    this.#root = new LocalRoot(config.root, config.subfolder);
    this.#sync = config.sync ?? syncFile;
    this.#uploads = new LocalUploads(this.#root, this.#sync);
    this.#signer = config.signer;
  }

  probe(): Promise<ProbeAnswer> {
    return probeBackend(this);
  }

  createUpload(key: string): Promise<string> {
    return fsCall(() => this.#uploads.create(assertObjectKey(key)));
  }

  async signPart(request: SignPartRequest): Promise<SignedRequest> {
    assertSignable(request);
    const { expiresInSeconds, ...part } = request;
    const expiresAt = new Date(Date.now() + expiresInSeconds * 1000).toISOString();
    const signed = await this.#signer.signPart({ ...part, key: assertObjectKey(part.key), expiresAt });
    return {
      method: 'PUT',
      url: signed.url,
      headers: { 'content-length': String(part.sizeBytes), ...signed.headers },
      expiresAt,
    };
  }

  /**
   * Takes the body of a signed part request. URL_EXPIRED, UPLOAD_MISSING, PART_INVALID (length or checksum), NO_SPACE. The caller answers 200 with the
   * header `ETag: "<etag>"`, bounds how long the body may take and destroys it when this fails. Running it twice with the same bytes is fine.
   */
  putPart(payload: LocalPartPayload, body: Readable): Promise<{ etag: string }> {
    return fsCall(async () => {
      if (Date.now() > Date.parse(payload.expiresAt))
        throw new AppError('URL_EXPIRED', 'This upload URL has expired. Ask for a new one.');
      assertSignable({ ...payload, expiresInSeconds: 1 });
      const folder = await this.#uploads.folderOf(assertObjectKey(payload.key), payload.uploadId);
      const md5Hex = Buffer.from(payload.md5Base64, 'base64').toString('hex');
      const claim = { sizeBytes: payload.sizeBytes, sha256Hex: payload.sha256Hex, md5Hex };
      await writePart(folder, { partNumber: payload.partNumber, claim }, body, this.#sync);
      return { etag: md5Hex };
    });
  }

  listParts(key: string, uploadId: string): Promise<readonly StoredPart[]> {
    return fsCall(() => this.#uploads.listParts(assertObjectKey(key), uploadId));
  }

  async completeUpload(request: CompleteUploadRequest): Promise<ObjectStat> {
    assertObjectKey(request.key);
    return this.#unlessTaken(request.key, () => this.#uploads.complete(request));
  }

  abortUpload(key: string, uploadId: string): Promise<void> {
    return fsCall(() => this.#uploads.abort(assertObjectKey(key), uploadId));
  }

  listUploads(prefix: string): AsyncIterable<StoredUpload> {
    return translated(this.#uploads.list(assertKeyPrefix(prefix)));
  }

  async putIfAbsent(key: string, bytes: Buffer): Promise<ObjectStat> {
    assertObjectKey(key);
    try {
      return await this.#unlessTaken(key, async () => {
        const prepare = () => this.#root.path(key, { create: true });
        const path = await prepare();
        if (path === undefined) throw missing(key);
        await writeNew(path, bytes, {
          temporaryFolder: await this.#root.uploadsFolder({ create: true }),
          sync: this.#sync,
          prepare,
        });
        return { key, sizeBytes: bytes.length, modifiedAt: new Date() };
      });
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'OBJECT_EXISTS')) throw error;
      const stat = await this.stat(key);
      if (stat?.sizeBytes === bytes.length && (await this.#content(key)).equals(bytes)) return stat;
      throw error;
    }
  }

  stat(key: string): Promise<ObjectStat | undefined> {
    return fsCall(async () => {
      const path = await this.#root.path(key, { create: false });
      const stats = path === undefined ? undefined : await lstatIfThere(path);
      return stats?.isFile() ? { key, sizeBytes: stats.size, modifiedAt: stats.mtime, stamp: fileStamp(stats) } : undefined;
    });
  }

  read(key: string, range?: ByteRange): Promise<Readable> {
    return fsCall(async () => {
      const path = await this.#root.path(key, { create: false });
      if (path === undefined) throw missing(key);
      const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
      const stats = await file.stat();
      const start = range?.start ?? 0;
      const end = range?.end ?? stats.size;
      if (!stats.isFile() || end > stats.size || (range !== undefined && start > 0 && start >= stats.size)) {
        await file.close();
        if (!stats.isFile()) throw missing(key);
        throw new AppError('DATA_TRUNCATED', 'The stored object is shorter than the range that was asked for.', {
          key,
          ...range,
        });
      }
      if (end <= start) {
        await file.close();
        return Readable.from([]);
      }
      return checkedStream(
        file.createReadStream({ start, end: end - 1, highWaterMark: 256 * 1024 }),
        end - start,
        translateFsError,
      );
    });
  }

  async signRead(request: SignReadRequest): Promise<SignedRequest> {
    assertExpiry(request.expiresInSeconds);
    const expiresAt = new Date(Date.now() + request.expiresInSeconds * 1000).toISOString();
    const signed = await this.#signer.signRead({ key: assertObjectKey(request.key), expiresAt });
    return { method: 'GET', url: signed.url, headers: signed.headers ?? {}, expiresAt };
  }

  async *list(prefix: string): AsyncGenerator<ObjectStat> {
    assertKeyPrefix(prefix);
    const folder = await fsCall(() => this.#root.folder({ create: false }));
    yield* translated(listObjects(folder, prefix));
  }

  delete(key: string): Promise<void> {
    return fsCall(async () => {
      const path = await this.#root.path(key, { create: false });
      if (path === undefined) return;
      try {
        await unlink(path);
        await syncFolder(dirname(path));
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw error;
      }
      await this.#root.prune(path);
    });
  }

  /** Bytes that may still be written here. */
  freeBytes(): Promise<number> {
    return this.#root.freeBytes();
  }

  /** NO_SPACE with both numbers unless that many bytes are free. To be asked before the start; the disk may still fill up later. */
  async assertFreeSpace(neededBytes: number): Promise<void> {
    const freeBytes = await this.freeBytes();
    if (freeBytes >= neededBytes) return;
    throw new AppError(
      'NO_SPACE',
      `The storage has ${freeBytes} bytes free and needs ${neededBytes}. Free some space, then try again.`,
      {
        neededBytes,
        freeBytes,
      },
    );
  }

  /** Removes temporary files of killed processes. Uploads are found by `listUploads`, not here. Returns how many were removed. */
  removeStaleTemporaryFiles(olderThanMs: number): Promise<number> {
    return fsCall(() => this.#uploads.removeStale(olderThanMs));
  }

  #unlessTaken<T>(key: string, work: () => Promise<T>): Promise<T> {
    return fsCall(() =>
      work().catch((error: unknown) => {
        throw errnoOf(error) === 'EEXIST' ? taken(key) : error;
      }),
    );
  }

  async #content(key: string): Promise<Buffer> {
    const path = await fsCall(() => this.#root.path(key, { create: false }));
    if (path === undefined) throw missing(key);
    return fsCall(() => readFile(path));
  }
}

async function lstatIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function* translated<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    throw translateFsError(error);
  }
}
