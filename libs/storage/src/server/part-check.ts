import { createHash } from 'node:crypto';
import { AppError } from '@rahatback/contracts';
import { MAX_PARTS_PER_VOLUME, MAX_SIGNED_URL_SECONDS, STORAGE_PART_SIZE_BYTES } from '../limits.js';
import type { CompleteUploadRequest, SignPartRequest, StoredPart } from './storage-backend.js';

const invalid = (sentence: string, details: Record<string, unknown>): AppError => new AppError('PART_INVALID', sentence, details);

const SHA256_HEX = /^[0-9a-f]{64}$/;
const MD5_BASE64 = /^[A-Za-z0-9+/]{22}==$/;

/** Refuses a part that can never be completed, before its bytes are sent. PART_INVALID, or VALIDATION for an expiry out of bounds. */
export function assertSignable(request: SignPartRequest): void {
  const { partNumber, sizeBytes, expiresInSeconds } = request;
  if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > MAX_PARTS_PER_VOLUME) {
    throw invalid(`A volume holds parts 1 to ${MAX_PARTS_PER_VOLUME}; part ${partNumber} must go into a new volume.`, {
      partNumber,
    });
  }
  if (!Number.isInteger(sizeBytes) || sizeBytes < 1 || sizeBytes > STORAGE_PART_SIZE_BYTES) {
    throw invalid(`A part holds 1 to ${STORAGE_PART_SIZE_BYTES} bytes; part ${partNumber} has ${sizeBytes}.`, {
      partNumber,
      sizeBytes,
    });
  }
  if (!SHA256_HEX.test(request.sha256Hex) || !MD5_BASE64.test(request.md5Base64)) {
    throw invalid(`Part ${partNumber} needs its SHA-256 in hex and its MD5 in base64.`, { partNumber });
  }
  assertExpiry(expiresInSeconds);
}

/** VALIDATION unless 1 second to one hour. */
export function assertExpiry(expiresInSeconds: number): void {
  if (!Number.isInteger(expiresInSeconds) || expiresInSeconds < 1 || expiresInSeconds > MAX_SIGNED_URL_SECONDS) {
    throw new AppError('VALIDATION', `A signed URL lives 1 to ${MAX_SIGNED_URL_SECONDS} seconds.`, { expiresInSeconds });
  }
}

function assertClaims({ parts, expectedSizeBytes }: CompleteUploadRequest): void {
  if (parts.length === 0 || parts.length > MAX_PARTS_PER_VOLUME) {
    throw invalid(`An object is completed from 1 to ${MAX_PARTS_PER_VOLUME} parts; ${parts.length} were claimed.`, {
      parts: parts.length,
    });
  }
  parts.forEach((part, index) => {
    if (part.partNumber !== index + 1) throw invalid(`Part ${index + 1} is missing from the claim.`, { partNumber: index + 1 });
    const isLast = index === parts.length - 1;
    if (isLast ? part.sizeBytes > STORAGE_PART_SIZE_BYTES : part.sizeBytes !== STORAGE_PART_SIZE_BYTES) {
      throw invalid(`Part ${part.partNumber} must hold ${isLast ? 'at most' : 'exactly'} ${STORAGE_PART_SIZE_BYTES} bytes.`, {
        partNumber: part.partNumber,
        sizeBytes: part.sizeBytes,
      });
    }
  });
  const claimedBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  if (claimedBytes !== expectedSizeBytes) {
    throw invalid(`The parts hold ${claimedBytes} bytes, the object should have ${expectedSizeBytes}.`, {
      claimedBytes,
      expectedSizeBytes,
    });
  }
}

/** Compares what was claimed with what the store holds. PART_INVALID names the first part that is missing or differs. */
export function assertParts(request: CompleteUploadRequest, stored: readonly StoredPart[]): void {
  assertClaims(request);
  const byNumber = new Map(stored.map((part) => [part.partNumber, part]));
  for (const claimed of request.parts) {
    const held = byNumber.get(claimed.partNumber);
    const details = { partNumber: claimed.partNumber };
    if (!held) throw invalid(`Part ${claimed.partNumber} never arrived in the storage.`, details);
    if (held.sizeBytes !== claimed.sizeBytes) {
      throw invalid(
        `Part ${claimed.partNumber} has ${held.sizeBytes} bytes in the storage instead of ${claimed.sizeBytes}.`,
        details,
      );
    }
    if (held.etag !== claimed.etag)
      throw invalid(`Part ${claimed.partNumber} in the storage is not the one that was sent.`, details);
  }
}

/** The tag that S3 gives an object completed from parts: MD5 of the parts' MD5s, a hyphen, the number of parts. */
export function multipartEtag(md5Hexes: readonly string[]): string {
  const hash = createHash('md5');
  for (const md5Hex of md5Hexes) hash.update(Buffer.from(md5Hex, 'hex'));
  return `${hash.digest('hex')}-${md5Hexes.length}`;
}
