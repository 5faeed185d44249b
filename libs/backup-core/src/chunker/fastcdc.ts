import { GEAR } from './gear-table.js';

export interface ChunkSizes {
  readonly minBytes: number;
  readonly averageBytes: number;
  readonly maxBytes: number;
}

/** Sizes of format 1. */
export const CHUNK_SIZES: ChunkSizes = { minBytes: 64 * 1024, averageBytes: 256 * 1024, maxBytes: 1024 * 1024 };

/** Named in every index, so that a reader knows which cutter made the chunks (a reader does not need it). */
export const CHUNKER_NAME = 'fastcdc-2016/md5-gear-32/65536-262144-1048576';

/** Bits that must be zero at a cut: two more than the average asks below it, two fewer above (normalised chunking, level 2). */
const NORMALISATION = 2;
const SLAB_CHUNKS = 8;

/**
 * Cuts a byte stream by content: FastCDC (Xia et al., "FastCDC: a Fast and Efficient Content-Defined Chunking Approach for Data
 * Deduplication", USENIX ATC 2016) with a 32-bit gear hash, cut-point skipping below the minimum and normalised chunking. The judged bits are the
 * highest ones, which depend on the last 32 bytes. Where it cuts depends only on the bytes since the last cut, not on how they were sliced
 * into `push` calls.
 *
 * A yielded chunk is a view into a slab that is never written again: it may be kept without copying. Each byte is copied once.
 */
export class Chunker {
  private readonly sizes: ChunkSizes;
  private readonly smallShift: number;
  private readonly largeShift: number;
  private slab: Buffer;
  private start = 0;
  private scanned = 0;
  private filled = 0;
  private hash = 0;

  constructor(sizes: ChunkSizes = CHUNK_SIZES) {
    const bits = Math.log2(sizes.averageBytes);
    if (!Number.isInteger(bits) || bits <= NORMALISATION || bits + NORMALISATION > 31)
      throw new RangeError('averageBytes must be a power of two');
    this.sizes = sizes;
    this.smallShift = 32 - (bits + NORMALISATION);
    this.largeShift = 32 - (bits - NORMALISATION);
    this.slab = Buffer.allocUnsafeSlow(sizes.maxBytes * SLAB_CHUNKS);
  }

  /** Takes bytes and yields the chunks that they complete. Drain the generator before the next call. */
  *push(input: Buffer): Generator<Buffer> {
    let taken = 0;
    while (taken < input.length) {
      const copied = input.copy(this.slab, this.filled, taken);
      taken += copied;
      this.filled += copied;
      for (let end = this.findCut(); end > 0; end = this.findCut()) yield this.take(end);
      if (this.filled === this.slab.length) this.nextSlab();
    }
  }

  /** The last chunk, if any bytes are left. */
  *end(): Generator<Buffer> {
    if (this.filled > this.start) yield this.take(this.filled);
  }

  private take(end: number): Buffer {
    const chunk = this.slab.subarray(this.start, end);
    this.start = end;
    this.scanned = end;
    this.hash = 0;
    return chunk;
  }

  private nextSlab(): void {
    const next = Buffer.allocUnsafeSlow(this.slab.length);
    this.slab.copy(next, 0, this.start, this.filled);
    this.filled -= this.start;
    this.scanned -= this.start;
    this.start = 0;
    this.slab = next;
  }

  /** End of the current chunk, or 0 while its bytes have not all come. */
  private findCut(): number {
    const { slab, start, filled, smallShift, largeShift } = this;
    const max = start + this.sizes.maxBytes;
    const smallEnd = Math.min(start + this.sizes.averageBytes, filled);
    const largeEnd = Math.min(max, filled);
    let hash = this.hash;
    let at = Math.max(this.scanned, start + this.sizes.minBytes);
    for (; at < smallEnd; at += 1) {
      hash = ((hash << 1) + (GEAR[slab[at] as number] as number)) | 0;
      if (hash >>> smallShift === 0) return at + 1;
    }
    for (; at < largeEnd; at += 1) {
      hash = ((hash << 1) + (GEAR[slab[at] as number] as number)) | 0;
      if (hash >>> largeShift === 0) return at + 1;
    }
    if (filled >= max) return max;
    this.hash = hash;
    this.scanned = Math.min(at, filled);
    return 0;
  }
}
