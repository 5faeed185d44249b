import type { BackupSource, SourceRange } from '@rahatback/storage/agent';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ObjectRecord } from '../volumes/encrypted-object.js';

/** SHA-256 of one stored object, fed by whatever reads it, in any pieces; a piece that was seen before is passed over. */
class ObjectHash {
  private readonly hash = createHash('sha256');
  private digest: string | null = null;
  /** Bytes from the object's beginning that are hashed. */
  done = 0;

  feed(offset: number, bytes: Buffer): void {
    const known = this.done - offset;
    if (known < 0 || known >= bytes.length) return;
    this.hash.update(known === 0 ? bytes : bytes.subarray(known));
    this.done += bytes.length - known;
  }

  hex(): string {
    return (this.digest ??= this.hash.digest('hex'));
  }
}

/**
 * Hashes stored objects while they are read, so that none is fetched twice: bytes that a reader jumps over are fetched on the way, and what
 * nobody read in the end.
 */
export class HashedSource implements BackupSource {
  private readonly hashes = new Map<string, ObjectHash>();

  constructor(private readonly inner: BackupSource) {}

  stat(object: string): Promise<{ readonly sizeBytes: number }> {
    return this.inner.stat(object);
  }

  async read(object: string, range?: SourceRange): Promise<Readable> {
    const hash = this.hashOf(object);
    const start = range?.start ?? 0;
    if (hash.done < start) await this.drain(object, hash, start);
    const stream = await this.inner.read(object, range);
    return Readable.from(hashing(stream, hash, start), { objectMode: false, highWaterMark: 256 * 1024 });
  }

  /** SHA-256 (hex) of the whole object of that size. @throws those of the source */
  async sha256Of({ name, storedBytes }: Pick<ObjectRecord, 'name' | 'storedBytes'>): Promise<string> {
    const hash = this.hashOf(name);
    if (hash.done < storedBytes) await this.drain(name, hash, storedBytes);
    return hash.hex();
  }

  private hashOf(object: string): ObjectHash {
    const known = this.hashes.get(object) ?? new ObjectHash();
    this.hashes.set(object, known);
    return known;
  }

  private async drain(object: string, hash: ObjectHash, end: number): Promise<void> {
    const start = hash.done;
    let offset = start;
    for await (const bytes of await this.inner.read(object, { start, end })) {
      hash.feed(offset, bytes as Buffer);
      offset += (bytes as Buffer).length;
    }
  }
}

async function* hashing(stream: Readable, hash: ObjectHash, start: number): AsyncGenerator<Buffer> {
  let offset = start;
  for await (const bytes of stream as AsyncIterable<Buffer>) {
    hash.feed(offset, bytes);
    offset += bytes.length;
    yield bytes;
  }
}
