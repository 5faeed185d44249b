import { firstCut, GEAR_WINDOW, mayCut, SCAN_BYTES } from './gear-scan.js';

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
const SLAB_CHUNKS = 4;

interface RetiredSlab {
  readonly slab: Buffer;
  /** Where in the stream its chunks end. */
  readonly endOffset: number;
}

/**
 * Cuts a byte stream by content: FastCDC (Xia et al., "FastCDC: a Fast and Efficient Content-Defined Chunking Approach for Data
 * Deduplication", USENIX ATC 2016) with a 32-bit gear hash, cut-point skipping below the minimum and normalised chunking. The judged bits are the
 * highest ones, which depend on the last 32 bytes. Where it cuts depends only on the bytes since the last cut, not on how they were sliced
 * into `push` calls.
 *
 * A yielded chunk is a view into a slab, so each byte is copied once. It stays as it is until `releaseBefore` says that it is not needed any
 * more; without such a call, for ever.
 */
export class Chunker {
  private readonly sizes: ChunkSizes;
  private readonly smallShift: number;
  private readonly largeShift: number;
  private slab: Buffer;
  private readonly retired: RetiredSlab[] = [];
  /** Offsets in the stream: of the slab's first byte, and before which nobody needs anything. */
  private slabOffset = 0;
  private released = 0;
  private start = 0;
  private scanned = 0;
  private filled = 0;
  private isEnding = false;

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

  /** The last chunks, if any bytes are left. Nothing is pushed after it. */
  *end(): Generator<Buffer> {
    this.isEnding = true;
    for (let end = this.findCut(); end > 0; end = this.findCut()) yield this.take(end);
    if (this.filled > this.start) yield this.take(this.filled);
  }

  /** All chunks that begin before this offset in the stream are done with: their memory is used again. */
  releaseBefore(offset: number): void {
    this.released = offset;
  }

  private take(end: number): Buffer {
    const chunk = this.slab.subarray(this.start, end);
    this.start = end;
    this.scanned = end;
    return chunk;
  }

  private nextSlab(): void {
    const next = this.freeSlab();
    this.slab.copy(next, 0, this.start, this.filled);
    this.slabOffset += this.start;
    this.retired.push({ slab: this.slab, endOffset: this.slabOffset });
    this.filled -= this.start;
    this.scanned -= this.start;
    this.start = 0;
    this.slab = next;
  }

  private freeSlab(): Buffer {
    const [oldest] = this.retired;
    if (!oldest || oldest.endOffset > this.released) return Buffer.allocUnsafeSlow(this.slab.length);
    this.retired.shift();
    return oldest.slab;
  }

  /** End of the current chunk, or 0 while its bytes have not all come. */
  private findCut(): number {
    const { start, sizes } = this;
    const small = this.search(start + sizes.averageBytes, this.smallShift);
    if (small > 0 || this.scanned < start + sizes.averageBytes) return small;
    const max = start + sizes.maxBytes;
    const large = this.search(max, this.largeShift);
    return large === 0 && this.filled >= max ? max : large;
  }

  /**
   * End of the first cut from `scanned` up to `end`, or 0; `scanned` moves on. Bytes that do not fill a block of SCAN_BYTES wait for more, unless
   * they are the last before `end` or of the stream.
   */
  private search(end: number, shift: number): number {
    const { slab } = this;
    const first = this.start + this.sizes.minBytes;
    const to = Math.min(end, this.filled);
    const isWhole = to === end || this.isEnding;
    let at = Math.max(this.scanned, first);
    while (at < to) {
      const block = at - first < GEAR_WINDOW ? GEAR_WINDOW : SCAN_BYTES;
      if (to - at < block && !isWhole) break;
      const blockEnd = Math.min(at + block, to);
      if (blockEnd - at < SCAN_BYTES || mayCut(slab, at, shift)) {
        const cut = firstCut(slab, Math.max(first, at - GEAR_WINDOW), [at, blockEnd], shift);
        if (cut > 0) return cut;
      }
      at = blockEnd;
    }
    this.scanned = Math.min(at, this.filled);
    return 0;
  }
}
