import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
} from '@aws-sdk/client-s3';
import { AppError } from '@rahatback/contracts';
import { isTransient } from '../../backoff.js';
import { assertParts, multipartEtag } from '../part-check.js';
import type { CompleteUploadRequest, ObjectStat, StoredPart, StoredUpload } from '../storage-backend.js';
import { unquoted } from './s3-target.js';
import type { HeadAnswer, S3Target } from './s3-target.js';

/** How often an abort is repeated while parts that were in flight still turn up (AWS: "it might be necessary to abort multiple times"). */
const ABORT_ROUNDS = 5;

const isMissing = (error: unknown): boolean => error instanceof AppError && error.code === 'UPLOAD_MISSING';

/** The multipart half of the S3 driver. */
export class S3Uploads {
  constructor(
    private readonly target: S3Target,
    private readonly placement: { StorageClass?: string; ServerSideEncryption?: string },
  ) {}

  async create(key: string): Promise<string> {
    const command = new CreateMultipartUploadCommand({ ...this.target.address(key), ...(this.placement as object) });
    const answer = await this.target.call('s3:PutObject', (client) => client.send(command));
    if (!answer.UploadId)
      throw new AppError('STORAGE_PERMANENT', 'The storage opened an upload without giving its id. Check the endpoint.');
    return answer.UploadId;
  }

  async listParts(key: string, uploadId: string): Promise<readonly StoredPart[]> {
    const parts: StoredPart[] = [];
    let marker: string | undefined;
    do {
      const command = new ListPartsCommand({ ...this.target.address(key), UploadId: uploadId, PartNumberMarker: marker });
      const page = await this.target.call('s3:ListMultipartUploadParts', (client) => client.send(command));
      for (const part of page.Parts ?? []) {
        parts.push({ partNumber: part.PartNumber ?? 0, sizeBytes: part.Size ?? -1, etag: unquoted(part.ETag) ?? '' });
      }
      marker = nextMarker(page.IsTruncated, page.NextPartNumberMarker);
    } while (marker !== undefined);
    return parts;
  }

  async complete(request: CompleteUploadRequest): Promise<ObjectStat> {
    const { key, uploadId } = request;
    const stored = await this.listParts(key, uploadId).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (!stored) return this.#alreadyComplete(request);
    assertParts(request, stored);
    // Not every store knows If-None-Match here (Ceph 16 does not), so look first. The fence in the key makes a true race all but impossible.
    const existing = await this.target.head(key);
    if (existing) {
      if (!isTheObject(existing, request)) throw existsAlready(key);
      await this.abort(key, uploadId);
      return existing.stat;
    }
    try {
      await this.#sendComplete(request);
    } catch (error) {
      return this.#afterFailure(request, error);
    }
    return this.#confirmed(request);
  }

  async abort(key: string, uploadId: string): Promise<void> {
    try {
      for (let round = 0; round < ABORT_ROUNDS; round += 1) {
        const command = new AbortMultipartUploadCommand({ ...this.target.address(key), UploadId: uploadId });
        await this.target.call('s3:AbortMultipartUpload', (client) => client.send(command));
        if ((await this.listParts(key, uploadId)).length === 0) return;
      }
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    throw new AppError('STORAGE_TRANSIENT', 'Parts are still arriving for an aborted upload. It is aborted again.');
  }

  async *list(prefix: string): AsyncGenerator<StoredUpload> {
    let keyMarker: string | undefined;
    let uploadIdMarker: string | undefined;
    do {
      const command = new ListMultipartUploadsCommand({
        Bucket: this.target.bucket,
        Prefix: this.target.prefix + prefix,
        KeyMarker: keyMarker,
        UploadIdMarker: uploadIdMarker,
      });
      const page = await this.target.call('s3:ListBucketMultipartUploads', (client) => client.send(command));
      for (const upload of page.Uploads ?? []) {
        if (upload.Key === undefined || upload.UploadId === undefined) continue;
        yield { key: this.target.keyOf(upload.Key), uploadId: upload.UploadId, startedAt: upload.Initiated ?? new Date(0) };
      }
      keyMarker = nextMarker(page.IsTruncated, page.NextKeyMarker);
      uploadIdMarker = keyMarker === undefined ? undefined : page.NextUploadIdMarker;
    } while (keyMarker !== undefined);
  }

  async #sendComplete(request: CompleteUploadRequest): Promise<void> {
    const parts = request.parts.map(({ partNumber, etag }) => ({ PartNumber: partNumber, ETag: `"${etag}"` }));
    const input = { ...this.target.address(request.key), UploadId: request.uploadId, MultipartUpload: { Parts: parts } };
    // The SDK turns a 200 whose body is an error document, or empty, into an exception.
    await this.target.conditionally((condition) =>
      this.target.call('s3:PutObject', (client) => client.send(new CompleteMultipartUploadCommand({ ...input, ...condition }))),
    );
  }

  /** The answer was lost or unclear: the object itself tells. When even that cannot be asked, the first error stands and the caller tries again. */
  async #afterFailure(request: CompleteUploadRequest, error: unknown): Promise<ObjectStat> {
    const code = error instanceof AppError ? error.code : undefined;
    if (!isTransient(error) && code !== 'UPLOAD_MISSING' && code !== 'OBJECT_EXISTS') throw error;
    const head = await this.target.head(request.key).catch((second: unknown) => {
      if (isTransient(second)) throw error;
      throw second;
    });
    if (!head) throw error;
    if (!isTheObject(head, request)) throw existsAlready(request.key);
    return head.stat;
  }

  async #alreadyComplete(request: CompleteUploadRequest): Promise<ObjectStat> {
    const head = await this.target.head(request.key);
    if (!head) {
      throw new AppError(
        'UPLOAD_MISSING',
        'The upload is gone and its object is not there: it was aborted or cleaned up. Start the backup again.',
      );
    }
    if (!isTheObject(head, request)) throw existsAlready(request.key);
    return head.stat;
  }

  async #confirmed(request: CompleteUploadRequest): Promise<ObjectStat> {
    const head = await this.target.head(request.key);
    if (!head)
      throw new AppError(
        'STORAGE_TRANSIENT',
        'The storage confirmed an object and then did not show it. It is looked for again.',
      );
    if (!isTheObject(head, request)) {
      throw new AppError(
        'CHECKSUM_MISMATCH',
        'The stored object is not the one that was sent: its size or checksum differs. Run the backup again.',
        {
          sizeBytes: head.stat.sizeBytes,
          expectedSizeBytes: request.expectedSizeBytes,
        },
      );
    }
    return head.stat;
  }
}

const existsAlready = (key: string): AppError =>
  new AppError('OBJECT_EXISTS', 'Another object of this name exists already and is never overwritten.', { key });

/** KMS makes tags that are no MD5; then the number of parts in the tag and the size must do, and the MD5 signed into every part. */
function isTheObject(head: HeadAnswer, request: CompleteUploadRequest): boolean {
  if (head.stat.sizeBytes !== request.expectedSizeBytes) return false;
  const { etag } = head.stat;
  if (etag === undefined) return true;
  return head.isEtagMd5
    ? etag === multipartEtag(request.parts.map((part) => part.md5Hex))
    : etag.endsWith(`-${request.parts.length}`);
}

/** A page that says there is more but not where would silently shorten the list. */
export function nextMarker(isTruncated: boolean | undefined, marker: string | undefined): string | undefined {
  if (!isTruncated) return undefined;
  if (!marker)
    throw new AppError(
      'STORAGE_PERMANENT',
      'The storage listed a part of its content and did not say how to go on. Check the gateway in front of it.',
    );
  return marker;
}
