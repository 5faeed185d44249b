import type { Compression } from '@rahatback/contracts';
import { hash } from 'node:crypto';
import { crashPoint } from '../crash-point.js';
import { addChunk, FRAME_TARGET_BYTES, framePlain, newFrame, type OpenFrame } from '../frames/frame-builder.js';
import { FrameEncoder, type EncodedFrame } from '../frames/frame-encoder.js';
import type { ChunkTable } from '../index/chunk-table.js';
import type { FrameLocation, IndexChunk } from '../index/index-format.js';
import type { IndexWriter } from '../index/index-writer.js';
import type { VolumeWriter } from '../volumes/volume-writer.js';

/** Frames under way for each that is being compressed: the next ones are ready when it is. */
const FRAMES_PER_CONTEXT = 2;
/** Index entries that may wait for the open frame before it is closed early. */
const MAX_WAITING_RUNS = 4096;

/** Of this backup: null until it has been written. Of a base: known from the beginning. */
interface PlacedFrame {
  place: FrameLocation | null;
}

interface OwnFrame extends PlacedFrame {
  readonly open: OpenFrame;
  /** Offset in the dump of its first chunk. */
  startOffset: number;
}

interface WaitingRun {
  readonly frame: PlacedFrame;
  readonly chunks: IndexChunk[];
}

interface FrameInFlight {
  readonly frame: OwnFrame;
  readonly plainLength: number;
  readonly encoded: Promise<EncodedFrame>;
}

/**
 * Chunks in; frames in volumes and lines in the index out, both in the order of the dump. Chunks that `base` knows are only pointed to.
 * `add` waits while too much is under way, which is the back-pressure on the dump.
 */
export class ChunkPacker {
  private current: OwnFrame = { open: newFrame(), place: null, startOffset: 0 };
  private offset = 0;
  private readonly inFlight: FrameInFlight[] = [];
  private readonly waiting: WaitingRun[] = [];
  private newCount = 0;
  private readonly encoder: FrameEncoder;

  constructor(
    private readonly volumes: VolumeWriter,
    private readonly index: IndexWriter,
    compression: Compression,
    private readonly base: ChunkTable | null,
  ) {
    this.encoder = new FrameEncoder(compression);
  }

  /** Chunks that were in no base. */
  get newChunks(): number {
    return this.newCount;
  }

  /** Offset in the dump before which no chunk's memory is needed any more. */
  get neededFrom(): number {
    const oldest = this.inFlight[0]?.frame ?? this.current;
    return oldest.open.plainLength > 0 ? oldest.startOffset : this.offset;
  }

  async add(chunk: Buffer): Promise<void> {
    const id = hash('sha256', chunk, 'buffer');
    const known = this.base?.find(id, chunk.length);
    if (known) {
      this.wait({ place: known.frame }, { id, length: chunk.length, offset: known.offset });
    } else {
      this.newCount += 1;
      if (this.current.open.plainLength === 0) this.current.startOffset = this.offset;
      this.wait(this.current, { id, length: chunk.length, offset: addChunk(this.current.open, chunk) });
    }
    this.offset += chunk.length;
    if (this.current.open.plainLength >= FRAME_TARGET_BYTES || this.waiting.length >= MAX_WAITING_RUNS) await this.closeFrame();
  }

  /** Everything that is still under way is written. */
  async end(): Promise<void> {
    await this.closeFrame();
    while (this.inFlight.length > 0) await this.writeFirst();
    await this.flushIndex();
  }

  /** Gives the memory of compression back; nothing is added after it. */
  close(): void {
    this.encoder.close();
  }

  private wait(frame: PlacedFrame, chunk: IndexChunk): void {
    const last = this.waiting.at(-1);
    if (last && (last.frame === frame || samePlace(last.frame.place, frame.place))) last.chunks.push(chunk);
    else this.waiting.push({ frame, chunks: [chunk] });
  }

  private async closeFrame(): Promise<void> {
    const frame = this.current;
    if (frame.open.plainLength === 0) return this.flushIndex();
    this.current = { open: newFrame(), place: null, startOffset: this.offset };
    const encoded = this.encoder.encode(framePlain(frame.open));
    // It is awaited later, and by nobody when an earlier frame fails.
    encoded.catch(() => undefined);
    this.inFlight.push({ frame, plainLength: frame.open.plainLength, encoded });
    frame.open.chunks.length = 0;
    while (this.inFlight.length >= this.encoder.concurrency * FRAMES_PER_CONTEXT) await this.writeFirst();
  }

  private async writeFirst(): Promise<void> {
    const first = this.inFlight.shift();
    if (!first) return;
    const encoded = await first.encoded;
    const frameLength = encoded.bytes.length;
    const { volume, offset } = await this.volumes.append(encoded.bytes);
    encoded.release();
    first.frame.place = { backup: 0, volume, offset, frameLength, plainLength: first.plainLength };
    crashPoint('backup.dump.mid');
    await this.flushIndex();
  }

  private async flushIndex(): Promise<void> {
    for (let run = this.waiting[0]; run?.frame.place; run = this.waiting[0]) {
      this.waiting.shift();
      await this.index.run({ frame: run.frame.place, chunks: run.chunks });
    }
  }
}

const samePlace = (left: FrameLocation | null, right: FrameLocation | null): boolean =>
  left !== null && right !== null && left.backup === right.backup && left.volume === right.volume && left.offset === right.offset;
