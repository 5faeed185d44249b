import { AppError, type Compression } from '@rahatback/contracts';
import { availableParallelism } from 'node:os';
import { constants, createZstdCompress, type ZstdCompress } from 'node:zlib';
import { freeBuffer, freeMemory } from '../free-buffer.js';
import { encodeFrame, ZSTD_LEVEL } from './frame-codec.js';
import { zstdFrameLength } from './zstd-frame.js';

/** Compression contexts at most: as many as libuv has threads. */
const MAX_CONTEXTS = 4;
/** Room for about 16 frames: one that fits into what is left of it is compressed without a copy in between. */
const OUTPUT_BYTES = 4 * 1024 * 1024;

/** `release` gives the memory back: the bytes are not used after it. */
export interface EncodedFrame {
  readonly bytes: Buffer;
  release(): void;
}

/** Memory that several frames lie in. It is given back when no more will come into it and all of them have been released. */
class OutputMemory {
  private current: ArrayBufferLike | null = null;
  private readonly live = new Map<ArrayBufferLike, number>();

  take({ buffer }: Buffer): void {
    const previous = this.current;
    this.current = buffer;
    this.live.set(buffer, (this.live.get(buffer) ?? 0) + 1);
    if (previous && previous !== buffer) this.freeIfUnused(previous);
  }

  release({ buffer }: Buffer): void {
    this.live.set(buffer, (this.live.get(buffer) ?? 1) - 1);
    if (buffer !== this.current) this.freeIfUnused(buffer);
  }

  private freeIfUnused(memory: ArrayBufferLike): void {
    if (this.live.get(memory) !== 0) return;
    this.live.delete(memory);
    freeMemory(memory);
  }
}

/**
 * One zstd context, kept from frame to frame: every write is ended with ZSTD_e_end and is therefore a frame of its own, with content size and
 * checksum.
 */
class ZstdContext {
  private readonly stream: ZstdCompress;
  private readonly memory = new OutputMemory();
  private pieces: Buffer[] = [];

  constructor(outputBytes: number) {
    this.stream = createZstdCompress({
      flush: constants.ZSTD_e_end,
      chunkSize: outputBytes,
      params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
    });
    this.stream.on('data', (piece: Buffer) => {
      this.memory.take(piece);
      this.pieces.push(piece);
    });
    // Told to whoever waits for the write.
    this.stream.on('error', () => undefined);
  }

  /** Not to be called again before it has ended. */
  async encode(plain: Buffer): Promise<EncodedFrame> {
    await new Promise<void>((resolve, reject) => {
      this.stream.write(plain, (error) => (error ? reject(error) : resolve()));
    });
    // What was made and not yet told of is told of now.
    while (this.stream.read() !== null);
    return this.frameOf(this.pieces.splice(0));
  }

  close(): void {
    this.stream.destroy();
  }

  private frameOf(pieces: readonly Buffer[]): EncodedFrame {
    const [first] = pieces;
    if (first && pieces.length === 1) return { bytes: oneFrame(first), release: () => this.memory.release(first) };
    const joined = Buffer.concat(pieces);
    for (const piece of pieces) this.memory.release(piece);
    return { bytes: oneFrame(joined), release: () => freeBuffer(joined) };
  }
}

/** Without the empty frame that follows when a frame has just filled the output memory. */
function oneFrame(bytes: Buffer): Buffer {
  const length = zstdFrameLength(bytes);
  if (length === null)
    throw new AppError('INTERNAL', 'The compressor gave a part of a frame. Run the backup again and report this.');
  return bytes.subarray(0, length);
}

/** Compresses the frames of one backup in libuv's threads, a few at a time; whoever comes then waits. */
export class FrameEncoder {
  readonly concurrency = Math.min(MAX_CONTEXTS, Math.max(2, availableParallelism()));
  private readonly contexts: ZstdContext[] = [];
  private readonly idle: ZstdContext[] = [];
  private readonly waiting: ((context: ZstdContext) => void)[] = [];

  constructor(
    private readonly compression: Compression,
    private readonly outputBytes = OUTPUT_BYTES,
  ) {}

  /** One frame of at least one byte, as `encodeFrame` makes it. */
  async encode(plain: Buffer): Promise<EncodedFrame> {
    if (this.compression === 'none') return { bytes: plain, release: () => undefined };
    if (this.compression === 'gzip') {
      const bytes = await encodeFrame(plain, this.compression);
      return { bytes, release: () => freeBuffer(bytes) };
    }
    const context = await this.context();
    try {
      return await context.encode(plain);
    } finally {
      const next = this.waiting.shift();
      if (next) next(context);
      else this.idle.push(context);
    }
  }

  /** Gives the contexts back. What is still being encoded fails. */
  close(): void {
    for (const context of this.contexts) context.close();
  }

  private context(): ZstdContext | Promise<ZstdContext> {
    const idle = this.idle.pop();
    if (idle) return idle;
    if (this.contexts.length >= this.concurrency) return new Promise((resolve) => this.waiting.push(resolve));
    const fresh = new ZstdContext(this.outputBytes);
    this.contexts.push(fresh);
    return fresh;
  }
}
