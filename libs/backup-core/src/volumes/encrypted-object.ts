import { AppError } from '@rahatback/contracts';
import { ciphertextSize, SegmentEncryptor, segmentCount } from '@rahatback/crypto';
import type { ObjectSink } from '@rahatback/storage/agent';
import { createHash } from 'node:crypto';
import { freeBuffer } from '../free-buffer.js';

/** What the manifest says of one stored object. `sha256`: of the stored bytes, hex. */
export interface ObjectRecord {
  readonly name: string;
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly segments: number;
  readonly sha256: string;
}

/** Encrypts one object on its way into a sink, and checks at the end that what was stored is what was made. */
export class EncryptedObject {
  private readonly encryptor: SegmentEncryptor;
  private readonly hash = createHash('sha256');
  private plainCount = 0;
  private storedCount = 0;

  constructor(
    readonly name: string,
    private readonly sink: ObjectSink,
    key: Uint8Array,
    associatedData: Uint8Array,
  ) {
    this.encryptor = new SegmentEncryptor({ key, associatedData });
  }

  /** Plaintext bytes taken so far: the offset of the next one. */
  get plainBytes(): number {
    return this.plainCount;
  }

  /** Stored bytes handed to the sink so far. */
  get storedBytes(): number {
    return this.storedCount;
  }

  /** Resolves when the sink has taken the bytes: this is the back-pressure. */
  async write(plain: Buffer): Promise<void> {
    this.plainCount += plain.length;
    await this.store(this.encryptor.update(plain));
  }

  /** @throws AppError CHECKSUM_MISMATCH when the store confirms anything else than what was sent */
  async complete(): Promise<ObjectRecord> {
    await this.store(this.encryptor.final());
    const sha256 = this.hash.digest('hex');
    const confirmed = await this.sink.complete();
    const expectedBytes = ciphertextSize(this.plainCount);
    if (confirmed.sizeBytes !== expectedBytes || this.storedCount !== expectedBytes || confirmed.sha256 !== sha256) {
      throw new AppError('CHECKSUM_MISMATCH', `The storage confirmed another ${this.name} than was sent. Run the backup again.`, {
        object: this.name,
        sentBytes: expectedBytes,
        storedBytes: confirmed.sizeBytes,
      });
    }
    const segments = segmentCount(expectedBytes);
    return { name: this.name, plainBytes: this.plainCount, storedBytes: expectedBytes, segments, sha256 };
  }

  private async store(sealed: readonly Buffer[]): Promise<void> {
    for (const bytes of sealed) {
      this.hash.update(bytes);
      this.storedCount += bytes.length;
      await this.sink.write(bytes);
      freeBuffer(bytes);
    }
  }
}
