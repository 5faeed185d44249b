import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { AppError } from '@rahatback/contracts';
import type { SignedRequest } from '@rahatback/contracts';
import { isTransient } from '../../backoff.js';
import { checkedStream } from '../../checked-stream.js';
import { assertKeyPrefix } from '../../object-key.js';
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
import { createS3Client, keyPrefix } from './s3-config.js';
import type { S3BackendConfig } from './s3-config.js';
import { translateS3Error } from './s3-errors.js';
import { presignPart, presignRead } from './s3-sign.js';
import { S3Target, unquoted } from './s3-target.js';
import { nextMarker, S3Uploads } from './s3-uploads.js';

/** Any S3-compatible store. The keys never leave this object: agents get signed URLs. */
export class S3Backend implements StorageBackend {
  readonly kind = 's3';
  readonly #client: S3Client;
  readonly #target: S3Target;
  readonly #uploads: S3Uploads;
  readonly #placement: { StorageClass?: string; ServerSideEncryption?: string };

  /** Opens no connection. Throws PATH_FORBIDDEN for a prefix that is none. */
  constructor(config: S3BackendConfig) {
    this.#client = createS3Client(config);
    this.#target = new S3Target(this.#client, config.bucket, keyPrefix(config));
    this.#placement = {
      ...(config.storageClass ? { StorageClass: config.storageClass } : {}),
      ...(config.sse ? { ServerSideEncryption: config.sse } : {}),
    };
    this.#uploads = new S3Uploads(this.#target, this.#placement);
  }

  probe(): Promise<ProbeAnswer> {
    return probeBackend(this);
  }

  async createUpload(key: string): Promise<string> {
    return this.#uploads.create(key);
  }

  async signPart(request: SignPartRequest): Promise<SignedRequest> {
    assertSignable(request);
    return presignPart(this.#client, this.#signTarget(request.key), request);
  }

  async listParts(key: string, uploadId: string): Promise<readonly StoredPart[]> {
    return this.#uploads.listParts(key, uploadId);
  }

  async completeUpload(request: CompleteUploadRequest): Promise<ObjectStat> {
    return this.#uploads.complete(request);
  }

  async abortUpload(key: string, uploadId: string): Promise<void> {
    return this.#uploads.abort(key, uploadId);
  }

  listUploads(prefix: string): AsyncIterable<StoredUpload> {
    return this.#uploads.list(assertKeyPrefix(prefix));
  }

  async putIfAbsent(key: string, bytes: Buffer): Promise<ObjectStat> {
    // Looked for first because some stores accept If-None-Match and ignore it. A key that may write but not look still has the condition below.
    const existing = await this.#target.head(key).catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'S3_DENIED') return undefined;
      throw error;
    });
    if (existing) return this.#sameBytesOrThrow(existing.stat, bytes);
    const input = {
      ...this.#target.address(key),
      ...(this.#placement as object),
      Body: bytes,
      ContentLength: bytes.length,
      ContentMD5: createHash('md5').update(bytes).digest('base64'),
    };
    try {
      const answer = await this.#target.conditionally((condition) =>
        this.#target.call('s3:PutObject', (client) => client.send(new PutObjectCommand({ ...input, ...condition }))),
      );
      const etag = unquoted(answer.ETag);
      return { key, sizeBytes: bytes.length, modifiedAt: new Date(), ...(etag ? { etag } : {}) };
    } catch (error) {
      return this.#afterFailedPut(key, bytes, error);
    }
  }

  async stat(key: string): Promise<ObjectStat | undefined> {
    return (await this.#target.head(key))?.stat;
  }

  async read(key: string, range?: ByteRange): Promise<Readable> {
    if (range?.end !== undefined && range.end <= range.start) return Readable.from([]);
    const command = new GetObjectCommand({ ...this.#target.address(key), ...(range ? { Range: rangeHeader(range) } : {}) });
    const answer = await this.#target.call('s3:GetObject', (client) => client.send(command));
    const body = answer.Body as Readable;
    const sizeBytes = answer.ContentLength;
    const expectedBytes = range?.end === undefined ? sizeBytes : range.end - range.start;
    // A store that ignores Range answers with the whole object; one that is shorter than asked cuts the range.
    const isRangeKept = range === undefined || (answer.ContentRange?.startsWith(`bytes ${range.start}-`) ?? false);
    if (!isRangeKept || (sizeBytes !== undefined && sizeBytes !== expectedBytes)) {
      body.destroy();
      if (!isRangeKept)
        throw new AppError('STORAGE_PERMANENT', 'The storage does not read ranges of objects. Check the gateway in front of it.');
      throw new AppError('DATA_TRUNCATED', 'The stored object is shorter than the range that was asked for.', { key, ...range });
    }
    return checkedStream(body, expectedBytes, (error) => translateS3Error(error, 's3:GetObject'));
  }

  async signRead(request: SignReadRequest): Promise<SignedRequest> {
    assertExpiry(request.expiresInSeconds);
    return presignRead(this.#client, this.#signTarget(request.key), request.expiresInSeconds);
  }

  async *list(prefix: string): AsyncGenerator<ObjectStat> {
    const fullPrefix = this.#target.prefix + assertKeyPrefix(prefix);
    let token: string | undefined;
    do {
      const command = new ListObjectsV2Command({ Bucket: this.#target.bucket, Prefix: fullPrefix, ContinuationToken: token });
      const page = await this.#target.call('s3:ListBucket', (client) => client.send(command));
      for (const object of page.Contents ?? []) {
        if (object.Key === undefined || object.Size === undefined)
          throw new AppError('STORAGE_PERMANENT', 'The storage listed an object without name or size.');
        const etag = unquoted(object.ETag);
        const stat = {
          key: this.#target.keyOf(object.Key),
          sizeBytes: object.Size,
          modifiedAt: object.LastModified ?? new Date(0),
        };
        yield etag ? { ...stat, etag, stamp: etag } : stat;
      }
      token = nextMarker(page.IsTruncated, page.NextContinuationToken);
    } while (token !== undefined);
  }

  async delete(key: string): Promise<void> {
    const command = new DeleteObjectCommand(this.#target.address(key));
    await this.#target
      .call('s3:DeleteObject', (client) => client.send(command))
      .catch((error: unknown) => {
        if (!(error instanceof AppError && error.code === 'OBJECT_MISSING')) throw error;
      });
  }

  /** Closes kept connections. The backend must not be used afterwards. */
  close(): void {
    this.#client.destroy();
  }

  #signTarget(key: string): { bucket: string; objectKey: string } {
    const { Bucket, Key } = this.#target.address(key);
    return { bucket: Bucket, objectKey: Key };
  }

  async #afterFailedPut(key: string, bytes: Buffer, error: unknown): Promise<ObjectStat> {
    const isTaken = error instanceof AppError && error.code === 'OBJECT_EXISTS';
    if (!isTaken && !isTransient(error)) throw error;
    const head = await this.#target.head(key).catch((second: unknown) => {
      if (isTransient(second)) throw isTaken ? second : error;
      throw second;
    });
    if (!head) throw error;
    return this.#sameBytesOrThrow(head.stat, bytes);
  }

  async #sameBytesOrThrow(stat: ObjectStat, bytes: Buffer): Promise<ObjectStat> {
    if (stat.sizeBytes === bytes.length && (await buffer(await this.read(stat.key))).equals(bytes)) return stat;
    throw new AppError('OBJECT_EXISTS', 'Another object of this name exists already and is never overwritten.', {
      key: stat.key,
    });
  }
}

const rangeHeader = ({ start, end }: ByteRange): string => `bytes=${start}-${end === undefined ? '' : end - 1}`;
