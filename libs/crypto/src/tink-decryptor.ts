import { createDecipheriv, type KeyObject } from 'node:crypto';
import { CryptoError } from './crypto-error.js';
import {
  AES256_GCM_HKDF_1MB,
  assertParams,
  deriveObjectKey,
  gcmOf,
  headerSize,
  readHeader,
  segmentCount,
  segmentNonce,
  segmentStart,
  TAG_SIZE,
  type StreamParams,
} from './tink-layout.js';

export interface DecryptOptions {
  readonly key: Uint8Array;
  readonly associatedData: Uint8Array;
  readonly params?: StreamParams;
  /**
   * Stored bytes of the whole object, from the manifest. With it a cut object is always told apart from a damaged one; without it, an
   * object cut inside a segment can only be called damaged.
   */
  readonly ciphertextSize?: number;
}

/** Opens single segments of one object once its header is known. */
export class SegmentOpener {
  readonly #params: StreamParams;
  readonly #key: KeyObject;
  readonly #noncePrefix: Uint8Array;

  /** `header`: at least the first 40 bytes of the object. Throws DATA_TRUNCATED or DATA_CORRUPT when they are not a header. */
  constructor(options: DecryptOptions, header: Uint8Array) {
    this.#params = options.params ?? AES256_GCM_HKDF_1MB;
    assertParams(this.#params);
    const { salt, noncePrefix } = readHeader(header, this.#params);
    this.#noncePrefix = noncePrefix;
    this.#key = deriveObjectKey(options.key, salt, options.associatedData, this.#params);
  }

  /** The segment's plaintext, or null when it does not authenticate as that segment of this object. */
  open(index: number, last: boolean, ciphertext: Uint8Array): Buffer | null {
    const size = ciphertext.length - TAG_SIZE;
    if (size < 0) return null;
    const nonce = segmentNonce(this.#noncePrefix, index, last);
    const decipher = createDecipheriv(gcmOf(this.#params), this.#key, nonce, { authTagLength: TAG_SIZE });
    decipher.setAuthTag(ciphertext.subarray(size));
    const plain = decipher.update(ciphertext.subarray(0, size));
    try {
      decipher.final();
    } catch {
      return null;
    }
    return plain;
  }
}

/**
 * Decrypts one object, pushed through in chunks of any size; answers authenticated plaintext only. Memory: one segment.
 *
 * Throws DATA_CORRUPT naming segment and byte offset, or DATA_TRUNCATED naming the segment where the object ends too early. After an
 * error, as after `final`, it is not to be used again: what came before the error is genuine, but the object as a whole is not.
 */
export class SegmentDecryptor {
  readonly #options: DecryptOptions;
  readonly #params: StreamParams;
  readonly #segments: number | null;
  readonly #pending: Buffer;
  #opener: SegmentOpener | undefined;
  #filled = 0;
  #index = 0;
  #ended = false;

  constructor(options: DecryptOptions) {
    this.#options = options;
    this.#params = options.params ?? AES256_GCM_HKDF_1MB;
    assertParams(this.#params);
    this.#segments = options.ciphertextSize === undefined ? null : segmentCount(options.ciphertextSize, this.#params);
    this.#pending = Buffer.allocUnsafeSlow(this.#params.segmentSize);
  }

  update(chunk: Uint8Array): Buffer[] {
    this.#assertUsable();
    const { segmentSize } = this.#params;
    const opened: Buffer[] = [];
    let offset = 0;
    while (offset < chunk.length) {
      const left = chunk.length - offset;
      if (this.#filled === segmentSize) {
        this.#openInner(this.#pending, opened);
        this.#filled = 0;
      } else if (this.#filled === 0 && left > segmentSize) {
        this.#openInner(chunk.subarray(offset, offset + segmentSize), opened);
        offset += segmentSize;
      } else {
        const taken = Math.min(segmentSize - this.#filled, left);
        this.#pending.set(chunk.subarray(offset, offset + taken), this.#filled);
        this.#filled += taken;
        offset += taken;
      }
    }
    return opened;
  }

  final(): Buffer[] {
    this.#assertUsable();
    this.#ended = true;
    const received = this.#index * this.#params.segmentSize + this.#filled;
    const { ciphertextSize } = this.#options;
    if (ciphertextSize !== undefined && received < ciphertextSize) throw this.#truncated(received);
    if (ciphertextSize !== undefined && received > ciphertextSize) {
      throw this.#corrupt(`The object has ${received} bytes where the manifest has ${ciphertextSize}.`);
    }
    const block = this.#pending.subarray(0, this.#filled);
    const smallest = this.#index === 0 ? headerSize(this.#params) + TAG_SIZE : TAG_SIZE + 1;
    if (block.length < smallest) throw this.#truncated(received);
    const plain = this.#open(block, true);
    if (plain) return plain.length > 0 ? [plain] : [];
    if (block.length === this.#params.segmentSize && this.#open(block, false)) throw this.#truncated(received);
    throw this.#corrupt(
      ciphertextSize === undefined
        ? `The last segment (${this.#index}) is damaged or cut short.`
        : `The last segment (${this.#index}) is damaged.`,
    );
  }

  #openInner(block: Uint8Array, into: Buffer[]): void {
    const plain = this.#open(block, false);
    if (!plain) {
      this.#ended = true;
      throw this.#corrupt(
        this.#open(block, true)
          ? `Bytes were added after the last segment (${this.#index}).`
          : `Segment ${this.#index} is damaged or not this object's.`,
      );
    }
    into.push(plain);
    this.#index += 1;
  }

  /** `block` is a stored segment; the first one begins with the header. */
  #open(block: Uint8Array, last: boolean): Buffer | null {
    this.#opener ??= new SegmentOpener(this.#options, block);
    const ciphertext = this.#index === 0 ? block.subarray(headerSize(this.#params)) : block;
    return this.#opener.open(this.#index, last, ciphertext);
  }

  #assertUsable(): void {
    if (this.#ended) throw new TypeError('This decryptor is already finished.');
  }

  #corrupt(what: string): CryptoError {
    const offset = segmentStart(this.#index, this.#params);
    return new CryptoError('DATA_CORRUPT', `${what} It begins at byte ${offset}. Fetch the object again or use another copy.`, {
      segment: this.#index,
      segments: this.#segments,
      offset,
    });
  }

  #truncated(received: number): CryptoError {
    const of = this.#segments === null ? '' : ` of ${this.#segments}`;
    return new CryptoError(
      'DATA_TRUNCATED',
      `The object ends after ${received} bytes, inside or before segment ${this.#index}${of}. Fetch it again or use another copy.`,
      { segment: this.#index, segments: this.#segments, offset: received },
    );
  }
}
