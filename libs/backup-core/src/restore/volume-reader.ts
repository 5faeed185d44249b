import { AppError } from '@rahatback/contracts';
import { headerSize, plainRangeToCipherRange, SegmentReader, segmentStart, type CipherRange } from '@rahatback/crypto';
import type { BackupSource, StoredObject } from '@rahatback/storage/agent';
import type { Readable } from 'node:stream';
import type { ObjectRecord } from '../volumes/encrypted-object.js';
import { atObject } from './at-object.js';

/** A gap up to here is read and dropped; a larger one is skipped by a new request. */
const MAX_SKIP_BYTES = 4 * 1024 * 1024;

export interface VolumeAccess {
  readonly backupId: string;
  readonly source: BackupSource;
  /** From the signed manifest. */
  readonly record: ObjectRecord;
  readonly key: Uint8Array;
  readonly associatedData: Uint8Array;
}

/** That the object stands in the store with the size that the manifest has; reads none of its bytes. @throws AppError OBJECT_MISSING, DATA_TRUNCATED */
export async function assertStoredSize(source: BackupSource, { name, storedBytes }: ObjectRecord): Promise<StoredObject> {
  const stored = await source.stat(name);
  const { sizeBytes } = stored;
  if (sizeBytes === storedBytes) return stored;
  throw new AppError(
    'DATA_TRUNCATED',
    `${name} has ${sizeBytes} bytes where the manifest has ${storedBytes}. Use another copy.`,
    // Where the two sizes part: the first segment that cannot be as it was written.
    {
      object: name,
      sizeBytes,
      expectedBytes: storedBytes,
      segment: Math.floor(Math.min(sizeBytes, storedBytes) / segmentStart(1)),
    },
  );
}

/**
 * Reads ranges of one object's plaintext. Ranges in rising order, as a restore asks for them, come out of one streaming request; a jump opens
 * another. Segments that no range touches are never decrypted, so damage there hurts nobody. Holds little more than one segment. One range at a
 * time. @throws AppError DATA_CORRUPT, DATA_TRUNCATED naming backup, object and segment
 */
export class VolumeReader {
  private segments: SegmentReader | null = null;
  private stream: Readable | null = null;
  private iterator: AsyncIterator<Buffer> | null = null;
  private nextSegment = 0;
  private stored: Buffer[] = [];
  private storedBytes = 0;
  /** Decrypted and not yet given out, beginning at `plainStart`. */
  private plain: Buffer[] = [];
  private plainStart = 0;
  private plainBytes = 0;

  constructor(private readonly access: VolumeAccess) {}

  async read(offset: number, length: number): Promise<Buffer> {
    const { record, backupId } = this.access;
    try {
      if (offset + length > record.plainBytes) {
        throw new AppError('DATA_CORRUPT', `The index points behind the end of ${record.name}. Use another copy of this backup.`);
      }
      const segments = (this.segments ??= await this.openHeader());
      if (offset < this.plainStart || offset > this.plainStart + this.plainBytes + MAX_SKIP_BYTES || !this.iterator)
        await this.seek(offset);
      this.drop(offset - this.plainStart);
      await this.skipTo(offset);
      while (this.plainStart + this.plainBytes < offset + length) {
        this.keep(await this.nextPlain(segments));
        this.drop(offset - this.plainStart);
      }
      return this.take(length);
    } catch (error) {
      throw atObject(error, { backupId, object: record.name });
    }
  }

  /** Every byte in order. */
  async *all(): AsyncGenerator<Buffer> {
    const { record } = this.access;
    const step = segmentStart(1);
    for (let offset = 0; offset < record.plainBytes; offset += step)
      yield this.read(offset, Math.min(step, record.plainBytes - offset));
    if (record.plainBytes === 0) await this.read(0, 0);
  }

  /** Ends the open request. May run twice. */
  close(): void {
    this.stream?.destroy();
    this.stream = null;
    this.iterator = null;
  }

  private async openHeader(): Promise<SegmentReader> {
    const { source, record, key, associatedData } = this.access;
    await assertStoredSize(source, record);
    const parts: Buffer[] = [];
    for await (const bytes of await source.read(record.name, { start: 0, end: headerSize() })) parts.push(bytes as Buffer);
    return new SegmentReader({ key, associatedData, header: Buffer.concat(parts), ciphertextSize: record.storedBytes });
  }

  private async seek(offset: number): Promise<void> {
    this.close();
    const { source, record } = this.access;
    const { start, firstSegment, skip } = this.segmentOf(offset);
    // An empty object has one segment, which must authenticate as well.
    this.stream = await source.read(record.name, { start: record.plainBytes === 0 ? headerSize() : start });
    this.iterator = (this.stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    this.nextSegment = firstSegment;
    this.stored = [];
    this.storedBytes = 0;
    this.plain = [];
    this.plainBytes = 0;
    this.plainStart = offset - skip;
    if (record.plainBytes === 0 && this.segments) this.keep(await this.nextPlain(this.segments));
  }

  private segmentOf(offset: number): CipherRange {
    const { plainBytes, storedBytes } = this.access.record;
    return plainRangeToCipherRange(offset, Math.min(offset + 1, plainBytes), storedBytes);
  }

  /** Passes over whole segments before the one that holds `offset`. */
  private async skipTo(offset: number): Promise<void> {
    const { segments } = this;
    if (!segments || this.plainBytes > 0 || offset >= this.access.record.plainBytes) return;
    const { firstSegment, skip } = this.segmentOf(offset);
    if (this.nextSegment >= firstSegment) return;
    while (this.nextSegment < firstSegment) await this.nextStored(segments);
    this.plainStart = offset - skip;
  }

  private async nextPlain(segments: SegmentReader): Promise<Buffer> {
    const index = this.nextSegment;
    return segments.decryptSegment(index, index === segments.segments - 1, await this.nextStored(segments));
  }

  private async nextStored(segments: SegmentReader): Promise<Buffer> {
    const index = this.nextSegment;
    const last = index === segments.segments - 1;
    const wanted = (last ? this.access.record.storedBytes : segmentStart(index + 1)) - segmentStart(index);
    while (this.storedBytes < wanted) {
      const next = await this.iterator?.next();
      if (!next || next.done) {
        throw new AppError(
          'DATA_TRUNCATED',
          `The object ended inside of segment ${index} of ${segments.segments}. Use another copy.`,
          { segment: index },
        );
      }
      this.stored.push(next.value);
      this.storedBytes += next.value.length;
    }
    this.nextSegment += 1;
    this.storedBytes -= wanted;
    return takeFront(this.stored, wanted);
  }

  private keep(plain: Buffer): void {
    this.plain.push(plain);
    this.plainBytes += plain.length;
  }

  private drop(count: number): void {
    const dropped = Math.min(Math.max(0, count), this.plainBytes);
    if (dropped > 0) this.forward(dropped);
  }

  private take(length: number): Buffer {
    return this.forward(length);
  }

  private forward(length: number): Buffer {
    const front = takeFront(this.plain, length);
    this.plainStart += length;
    this.plainBytes -= length;
    return front;
  }
}

/** Takes `length` bytes off the front; without a copy when the first buffer has them all. */
function takeFront(buffers: Buffer[], length: number): Buffer {
  const taken: Buffer[] = [];
  for (let left = length; left > 0;) {
    const first = buffers[0] as Buffer;
    taken.push(first.subarray(0, left));
    if (first.length > left) buffers[0] = first.subarray(left);
    else buffers.shift();
    left -= Math.min(left, first.length);
  }
  const [only] = taken;
  return taken.length === 1 && only ? only : Buffer.concat(taken);
}
