import { createHash } from 'node:crypto';
import { STORAGE_PART_SIZE_BYTES } from '../limits.js';
import type { ClaimedPart, SignPartRequest, StorageBackend } from '../server/storage-backend.js';
import { sendSigned } from './signed-http.js';

/** The request for one part with its true length and checksums. */
export function partRequest(key: string, uploadId: string, partNumber: number, body: Buffer): SignPartRequest {
  return {
    key,
    uploadId,
    partNumber,
    sizeBytes: body.length,
    sha256Hex: createHash('sha256').update(body).digest('hex'),
    md5Base64: createHash('md5').update(body).digest('base64'),
    expiresInSeconds: 600,
  };
}

/** Puts one part as an agent would. */
export async function putPart(
  backend: StorageBackend,
  key: string,
  uploadId: string,
  part: { partNumber: number; body: Buffer },
): Promise<ClaimedPart> {
  const { partNumber, body } = part;
  const answer = await sendSigned(await backend.signPart(partRequest(key, uploadId, partNumber, body)), body);
  if (answer.status !== 200) throw new Error(`part ${partNumber}: HTTP ${answer.status} ${answer.body.toString('utf8', 0, 300)}`);
  return { partNumber, etag: answer.etag, sizeBytes: body.length, md5Hex: createHash('md5').update(body).digest('hex') };
}

export function cutIntoParts(content: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let offset = 0; offset < content.length; offset += STORAGE_PART_SIZE_BYTES) {
    parts.push(content.subarray(offset, offset + STORAGE_PART_SIZE_BYTES));
  }
  return parts;
}

/** Opens an upload and puts every part, the last first. */
export async function uploadParts(
  backend: StorageBackend,
  key: string,
  content: Buffer,
): Promise<{ uploadId: string; parts: ClaimedPart[] }> {
  const uploadId = await backend.createUpload(key);
  const bodies = cutIntoParts(content);
  const parts: ClaimedPart[] = [];
  for (let index = bodies.length - 1; index >= 0; index -= 1) {
    const body = bodies[index];
    if (body) parts.unshift(await putPart(backend, key, uploadId, { partNumber: index + 1, body }));
  }
  return { uploadId, parts };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
