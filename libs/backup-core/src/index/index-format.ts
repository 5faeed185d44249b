import { AppError } from '@rahatback/contracts';
import { CHUNK_SIZES } from '../chunker/fastcdc.js';
import { FRAME_MAX_PLAIN_BYTES } from '../frames/frame-builder.js';

/** Version of the index's own lines; the manifest's format says which one to expect. */
export const INDEX_FORMAT = 1;

/** First line. `links` are the backups that later lines point into; their number there is their place here plus one. */
export interface IndexHeader {
  readonly index: typeof INDEX_FORMAT;
  readonly backup: string;
  readonly links: readonly string[];
  readonly chunker: string;
}

/** Where one frame stands: `backup` 0 is this backup, n is `links[n - 1]`; `offset` counts in the volume's plaintext. */
export interface FrameLocation {
  readonly backup: number;
  readonly volume: number;
  readonly offset: number;
  readonly frameLength: number;
  readonly plainLength: number;
}

/** `id`: SHA-256 of the plain bytes; `offset`: in the frame's plain bytes. */
export interface IndexChunk {
  readonly id: Buffer;
  readonly length: number;
  readonly offset: number;
}

/** Neighbouring chunks of the dump that stand in one frame. */
export interface IndexRun {
  readonly frame: FrameLocation;
  readonly chunks: readonly IndexChunk[];
}

/** Last line: what all lines before it must add up to. `sha256` is that of the whole dump, hex. */
export interface IndexEnd {
  readonly chunks: number;
  readonly bytes: number;
  readonly sha256: string;
}

const corrupt = (what: string, lineNumber: number): AppError =>
  new AppError('DATA_CORRUPT', `Line ${lineNumber} of the index ${what}. Use another copy of this backup.`, { line: lineNumber });

/** `{"b":backup,"v":volume,"o":offset,"n":frameLength,"p":plainLength,"c":[["<id, base64>",length,offset],…]}` */
export function encodeRun({ frame, chunks }: IndexRun): string {
  const list = chunks.map(({ id, length, offset }) => `["${id.toString('base64')}",${length},${offset}]`).join(',');
  return `{"b":${frame.backup},"v":${frame.volume},"o":${frame.offset},"n":${frame.frameLength},"p":${frame.plainLength},"c":[${list}]}`;
}

const isCount = (value: unknown, max = Number.MAX_SAFE_INTEGER): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max;

function parseChunk(value: unknown, plainLength: number): IndexChunk | null {
  if (!Array.isArray(value)) return null;
  const [id, length, offset] = value as unknown[];
  if (typeof id !== 'string' || !isCount(length, CHUNK_SIZES.maxBytes) || !isCount(offset)) return null;
  const bytes = Buffer.from(id, 'base64');
  if (bytes.length !== 32 || length === 0 || offset + length > plainLength) return null;
  return { id: bytes, length, offset };
}

/** Strict inverse of `encodeRun`. @throws AppError DATA_CORRUPT */
export function parseRun(line: Record<string, unknown>, links: number, lineNumber: number): IndexRun {
  const { b: backup, v: volume, o: offset, n: frameLength, p: plainLength, c: list } = line;
  const located = isCount(backup, links) && isCount(volume) && volume > 0 && isCount(offset) && isCount(frameLength);
  if (!located || !isCount(plainLength, FRAME_MAX_PLAIN_BYTES) || !Array.isArray(list))
    throw corrupt('names no place', lineNumber);
  const chunks = list.map((entry: unknown) => {
    const chunk = parseChunk(entry, plainLength);
    if (!chunk) throw corrupt('names a chunk that cannot be', lineNumber);
    return chunk;
  });
  return { frame: { backup, volume, offset, frameLength, plainLength }, chunks };
}

/** @throws AppError FORMAT_UNSUPPORTED, DATA_CORRUPT */
export function parseHeader(line: Record<string, unknown>): IndexHeader {
  const { index, backup, links, chunker } = line;
  if (typeof index === 'number' && index > INDEX_FORMAT) {
    throw new AppError(
      'FORMAT_UNSUPPORTED',
      `The index has format ${index}; this program reads 1 to ${INDEX_FORMAT}. Use a newer one.`,
    );
  }
  const valid = index === INDEX_FORMAT && typeof backup === 'string' && typeof chunker === 'string' && Array.isArray(links);
  if (!valid || !links.every((link) => typeof link === 'string')) throw corrupt('is no header', 1);
  return { index: INDEX_FORMAT, backup, links, chunker };
}

/** @throws AppError DATA_CORRUPT */
export function parseEnd(value: unknown, lineNumber: number): IndexEnd {
  const { chunks, bytes, sha256 } = (value ?? {}) as Record<string, unknown>;
  if (!isCount(chunks) || !isCount(bytes) || typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) {
    throw corrupt('is no end record', lineNumber);
  }
  return { chunks, bytes, sha256 };
}
