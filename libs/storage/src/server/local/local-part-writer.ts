import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, readFile, unlink, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { AppError } from '@rahatback/contracts';
import { STORAGE_PART_SIZE_BYTES } from '../../limits.js';
import { errnoOf } from './local-errors.js';
import { FILE_MODE } from './local-files.js';
import type { SyncFile } from './local-files.js';
import { claimFile, doneFile, STAGING_FILE, uploadMissing } from './local-uploads.js';
import type { PartClaim } from './local-uploads.js';

const COPY_CHUNK_BYTES = 1024 * 1024;

const invalid = (sentence: string, partNumber: number): AppError => new AppError('PART_INVALID', sentence, { partNumber });

/**
 * Takes one part into an upload's folder. The bytes go to a nameless file first and reach the staging file only when length, SHA-256 and MD5 are those that
 * were signed: bytes of a broken or forged request never touch it. A part once claimed keeps its content: the same bytes again are fine, others are refused.
 */
export async function writePart(
  folder: string,
  part: { partNumber: number; claim: PartClaim },
  body: Readable,
  sync: SyncFile,
): Promise<void> {
  const { partNumber, claim } = part;
  const temporary = await namelessFile(folder);
  try {
    await receive(temporary, partNumber, claim, body);
    await claimPart(folder, partNumber, claim);
    const staging = await openStaging(folder);
    try {
      await copyInto(staging, temporary, (partNumber - 1) * STORAGE_PART_SIZE_BYTES, claim.sizeBytes);
      await sync(staging);
    } finally {
      await staging.close();
    }
    await writeFile(join(folder, doneFile(partNumber)), '', { mode: FILE_MODE });
  } finally {
    await temporary.close();
  }
}

async function namelessFile(folder: string): Promise<FileHandle> {
  const path = join(folder, `incoming-${randomBytes(8).toString('hex')}`);
  const file = await open(path, 'wx+', FILE_MODE).catch((error: unknown) => {
    throw errnoOf(error) === 'ENOENT' ? uploadMissing() : error;
  });
  await unlink(path);
  return file;
}

async function receive(file: FileHandle, partNumber: number, claim: PartClaim, body: Readable): Promise<void> {
  const sha256 = createHash('sha256');
  const md5 = createHash('md5');
  let received = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (received + chunk.length > claim.sizeBytes)
      throw invalid(`Part ${partNumber} is longer than the ${claim.sizeBytes} bytes it was signed for.`, partNumber);
    sha256.update(chunk);
    md5.update(chunk);
    await writeFully(file, chunk, received);
    received += chunk.length;
  }
  if (received !== claim.sizeBytes)
    throw invalid(`Part ${partNumber} has ${received} bytes instead of the ${claim.sizeBytes} it was signed for.`, partNumber);
  if (sha256.digest('hex') !== claim.sha256Hex || md5.digest('hex') !== claim.md5Hex) {
    throw invalid(`Part ${partNumber} does not have the checksum it was signed for. It was damaged on its way.`, partNumber);
  }
}

/** A write may be short, on a nearly full disk for one; the rest is written again so that the real error shows. */
async function writeFully(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const result = await file.write(bytes, written, bytes.length - written, position + written);
    written += result.bytesWritten;
  }
}

/** The claim appears whole or not at all, and the first one stays: two writers of different bytes never mix in the staging file. */
async function claimPart(folder: string, partNumber: number, claim: PartClaim): Promise<void> {
  const path = join(folder, claimFile(partNumber));
  const temporary = `${path}-${randomBytes(8).toString('hex')}`;
  try {
    await writeFile(temporary, JSON.stringify(claim), { flag: 'wx', mode: FILE_MODE });
    await link(temporary, path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') throw uploadMissing();
    if (errno !== 'EEXIST') throw error;
    const earlier = JSON.parse(await readFile(path, 'utf8')) as PartClaim;
    if (earlier.sha256Hex !== claim.sha256Hex || earlier.sizeBytes !== claim.sizeBytes) {
      throw invalid(`Part ${partNumber} was already sent with other bytes. Start the upload again.`, partNumber);
    }
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

async function openStaging(folder: string): Promise<FileHandle> {
  return open(join(folder, STAGING_FILE), constants.O_RDWR | constants.O_NOFOLLOW).catch((error: unknown) => {
    throw errnoOf(error) === 'ENOENT' ? uploadMissing() : error;
  });
}

async function copyInto(target: FileHandle, source: FileHandle, offset: number, sizeBytes: number): Promise<void> {
  const chunk = Buffer.allocUnsafe(Math.min(COPY_CHUNK_BYTES, sizeBytes));
  for (let copied = 0; copied < sizeBytes;) {
    const { bytesRead } = await source.read(chunk, 0, chunk.length, copied);
    if (bytesRead === 0) throw Object.assign(new Error('short temporary file'), { code: 'EIO' });
    await writeFully(target, chunk.subarray(0, bytesRead), offset + copied);
    copied += bytesRead;
  }
}
