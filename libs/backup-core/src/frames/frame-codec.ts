import { AppError, type Compression } from '@rahatback/contracts';
import { promisify } from 'node:util';
import { constants, gunzip, gzip, zstdCompress, zstdDecompress, type ZlibOptions, type ZstdOptions } from 'node:zlib';
import { freeBuffer, freeMemory } from '../free-buffer.js';

/** Two thirds of level 3's processor time for 3 % more bytes (docs/BENCHMARKS.md). */
export const ZSTD_LEVEL = 2;
export const GZIP_LEVEL = 6;

const zstdAsync = promisify<Buffer, ZstdOptions, Buffer>(zstdCompress);
const unzstdAsync = promisify<Buffer, ZstdOptions, Buffer>(zstdDecompress);
const gzipAsync = promisify<Buffer, ZlibOptions, Buffer>(gzip);
const gunzipAsync = promisify<Buffer, ZlibOptions, Buffer>(gunzip);

/** Node fills output buffers of this size, one trip to the thread pool each: a quarter of the input is two trips or so, and little is wasted. */
const outputStep = (plainBytes: number): number => Math.max(64 * 1024, plainBytes >>> 2);

/** `pledgedSrcSize` puts the content size into the frame's header; the types of Node 24.10 do not know it yet. */
const zstdOptions = (plainBytes: number): ZstdOptions & { readonly pledgedSrcSize: number } => ({
  chunkSize: outputStep(plainBytes),
  pledgedSrcSize: plainBytes,
  params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
});

/**
 * One frame: a zstd frame (level 2, with checksum and content size), a gzip member (level 6), or the bytes themselves. Runs in libuv's worker
 * threads, so several calls go in parallel (docs/adr/0001). The result's bytes may differ between versions of Node: never hash them.
 */
export async function encodeFrame(plain: Buffer, compression: Compression): Promise<Buffer> {
  switch (compression) {
    case 'none':
      return plain;
    case 'gzip':
      return gzipAsync(plain, { level: GZIP_LEVEL, chunkSize: outputStep(plain.length) });
    case 'zstd':
      return zstdAsync(plain, zstdOptions(plain.length));
  }
}

/**
 * The plain bytes of exactly one frame. `plainLength` is what the index promises; a frame that decodes to anything else is damage.
 * @throws AppError DATA_CORRUPT
 */
export async function decodeFrame(frame: Buffer, compression: Compression, plainLength: number): Promise<Buffer> {
  const plain = await decode(frame, compression, plainLength).catch((cause: unknown) => {
    throw new AppError(
      'DATA_CORRUPT',
      `A ${compression} frame does not decompress. Use another copy of this backup.`,
      undefined,
      { cause },
    );
  });
  if (plain.length !== plainLength) {
    throw new AppError(
      'DATA_CORRUPT',
      `A frame holds ${plain.length} bytes where the index has ${plainLength}. Use another copy of this backup.`,
    );
  }
  return plain;
}

/** Node makes another output buffer as soon as one is filled to its end. */
const SPARE_BYTES = 64;

/** Gives the memory of what `decodeFrame` answered back at once; nobody may hold a view of it. */
export function freeFrame(plain: Buffer): void {
  // Memory that Node's pool shares among small buffers has another size.
  if (plain.buffer.byteLength === plain.length + SPARE_BYTES) freeMemory(plain.buffer);
  else freeBuffer(plain);
}

async function decode(frame: Buffer, compression: Compression, plainLength: number): Promise<Buffer> {
  const options = { chunkSize: plainLength + SPARE_BYTES, maxOutputLength: Math.max(1, plainLength) };
  switch (compression) {
    case 'none':
      return frame;
    case 'gzip':
      return gunzipAsync(frame, options);
    case 'zstd':
      return unzstdAsync(frame, options);
  }
}
