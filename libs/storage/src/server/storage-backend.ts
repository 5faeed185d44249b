import type { Readable } from 'node:stream';
import type { ErrorCode, SignedRequest } from '@rahatback/contracts';

export interface ObjectStat {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  /** The store's own tag without quotes, where it has one. */
  readonly etag?: string;
  /** Opaque; another one as soon as the object was written anew. From `stat`, `list` and `completeUpload`, where the store has anything to make it of. */
  readonly stamp?: string;
}

/** Bytes `start` up to, not including, `end`; without `end` to the object's end. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

export interface ProbeCheck {
  readonly name: 'write' | 'read' | 'list' | 'multipart' | 'delete';
  readonly ok: boolean;
  readonly code?: ErrorCode;
  readonly message?: string;
}

export interface ProbeAnswer {
  readonly checks: readonly ProbeCheck[];
}

export interface SignPartRequest {
  readonly key: string;
  readonly uploadId: string;
  /** From 1. */
  readonly partNumber: number;
  readonly sizeBytes: number;
  readonly sha256Hex: string;
  readonly md5Base64: string;
  readonly expiresInSeconds: number;
}

export interface SignReadRequest {
  readonly key: string;
  readonly expiresInSeconds: number;
}

export interface StoredPart {
  readonly partNumber: number;
  readonly sizeBytes: number;
  readonly etag: string;
}

export interface ClaimedPart extends StoredPart {
  readonly md5Hex: string;
}

export interface CompleteUploadRequest {
  readonly key: string;
  readonly uploadId: string;
  /** Every part, in order, from 1 without a gap. */
  readonly parts: readonly ClaimedPart[];
  readonly expectedSizeBytes: number;
}

export interface StoredUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly startedAt: Date;
}

/**
 * What the server can do with a place that holds backups. All drivers pass one suite (`@rahatback/storage/conformance`).
 *
 * For every method:
 * - Keys are relative to the storage's own prefix or folder and plain (`assertObjectKey`), else PATH_FORBIDDEN. Objects never change once they are there.
 * - Errors are AppErrors. OBJECT_MISSING and UPLOAD_MISSING: the store positively said so. STORAGE_TRANSIENT and STORAGE_UNREACHABLE: the same call may
 *   succeed later. Anything else (STORAGE_PERMANENT, S3_BUCKET, S3_REGION, S3_DENIED, S3_CREDENTIALS, NO_SPACE, PATH_FORBIDDEN …) will not without a change.
 * - Every method may run twice, also after an answer that was lost, and from several processes at once. Drivers do not retry: `withRetry` does.
 */
export interface StorageBackend {
  readonly kind: 'local' | 's3';

  /** Writes, reads back, lists, opens and aborts an upload, and deletes one small object. Never throws: each check says what failed and what is missing. */
  probe(): Promise<ProbeAnswer>;

  /** Opens an upload in parts. Running it twice opens two; the unused one is found by `listUploads` and aborted by the sweep. */
  createUpload(key: string): Promise<string>;

  /**
   * A request that puts exactly one part: number, length, SHA-256 and MD5 are bound into the signature, and the answer carries the part's `etag` header.
   * Parts hold STORAGE_PART_SIZE_BYTES, the last one may be shorter. PART_INVALID for a number or size outside the limits. Does not ask the store.
   */
  signPart(request: SignPartRequest): Promise<SignedRequest>;

  /** The parts that the store holds, ascending. UPLOAD_MISSING when there is no such upload (any more). */
  listParts(key: string, uploadId: string): Promise<readonly StoredPart[]>;

  /**
   * Makes the parts one object under its final name, wholly or not at all, never over another object.
   * - Before: parts missing, short, out of order or with another tag than claimed → PART_INVALID, and nothing is completed.
   * - An answer that was lost is decided by looking at the object and the upload; completing what is already complete returns the same stat.
   * - After: size, and the store's tag where it is derived from MD5, are read back and compared → CHECKSUM_MISMATCH.
   * - Another object under that name → OBJECT_EXISTS. Upload gone and no such object → UPLOAD_MISSING.
   */
  completeUpload(request: CompleteUploadRequest): Promise<ObjectStat>;

  /** Forgets an upload and frees its parts. An unknown upload is fine. Does not touch a completed object. */
  abortUpload(key: string, uploadId: string): Promise<void>;

  /** Uploads neither completed nor aborted whose key starts with the prefix, in no promised order. */
  listUploads(prefix: string): AsyncIterable<StoredUpload>;

  /**
   * Writes a small object (≤ one part) unless the name is taken: OBJECT_EXISTS. If the object there has the very same bytes this is the same publication
   * once more, and succeeds: that is how a lost answer is told from a lost race. Durable on return.
   */
  putIfAbsent(key: string, bytes: Buffer): Promise<ObjectStat>;

  /** `undefined` only when the store positively says that there is no such object; every doubt throws. */
  stat(key: string): Promise<ObjectStat | undefined>;

  /**
   * Opens an object or a range that must lie within it, else DATA_TRUNCATED. OBJECT_MISSING when absent. The stream fails with an AppError, also when
   * the connection ends early; it must be read or destroyed.
   */
  read(key: string, range?: ByteRange): Promise<Readable>;

  /** A request that reads one object and accepts `Range`. Does not ask the store. */
  signRead(request: SignReadRequest): Promise<SignedRequest>;

  /** Objects whose key starts with the prefix, ascending by the bytes of the key. An error is thrown, never an empty or shortened list. */
  list(prefix: string): AsyncIterable<ObjectStat>;

  /** Removes an object. An absent one is fine. */
  delete(key: string): Promise<void>;
}
