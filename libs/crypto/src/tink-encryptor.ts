import { createCipheriv, randomBytes, type KeyObject } from 'node:crypto';
import {
  AES256_GCM_HKDF_1MB,
  assertParams,
  deriveObjectKey,
  gcmOf,
  NONCE_PREFIX_SIZE,
  segmentCapacity,
  segmentNonce,
  TAG_SIZE,
  writeHeader,
  type StreamParams,
} from './tink-layout.js';

export interface EncryptOptions {
  /** The data key: 32 bytes for the default profile. */
  readonly key: Uint8Array;
  readonly associatedData: Uint8Array;
  readonly params?: StreamParams;
  /** Random when left out, as it must be outside of tests: a repeated salt and prefix under one key breaks GCM. */
  readonly salt?: Uint8Array;
  readonly noncePrefix?: Uint8Array;
}

/**
 * Encrypts one object, pushed through in chunks of any size. The buffers that `update` and `final` answer are, one after the other,
 * the stored object. A chunk may be reused as soon as `update` is back. Memory: one segment. Not to be used again after `final`.
 */
export class SegmentEncryptor {
  readonly #params: StreamParams;
  readonly #key: KeyObject;
  readonly #noncePrefix: Uint8Array;
  readonly #pending: Buffer;
  #header: Buffer | undefined;
  #filled = 0;
  #index = 0;
  #ended = false;

  constructor(options: EncryptOptions) {
    this.#params = options.params ?? AES256_GCM_HKDF_1MB;
    assertParams(this.#params);
    const salt = options.salt ?? randomBytes(this.#params.derivedKeySize);
    this.#noncePrefix = options.noncePrefix ?? randomBytes(NONCE_PREFIX_SIZE);
    this.#header = writeHeader({ salt, noncePrefix: this.#noncePrefix }, this.#params);
    this.#key = deriveObjectKey(options.key, salt, options.associatedData, this.#params);
    this.#pending = Buffer.allocUnsafeSlow(segmentCapacity(1, this.#params));
  }

  /** Takes plaintext, answers the segments that are now certain not to be the last. */
  update(chunk: Uint8Array): Buffer[] {
    if (this.#ended) throw new TypeError('This encryptor is already finished.');
    const sealed: Buffer[] = [];
    let offset = 0;
    while (offset < chunk.length) {
      const capacity = segmentCapacity(this.#index, this.#params);
      const left = chunk.length - offset;
      // The nonce says whether a segment is the last, so a full one waits until one more byte is here.
      if (this.#filled === capacity) {
        this.#seal(this.#pending.subarray(0, capacity), false, sealed);
        this.#filled = 0;
      } else if (this.#filled === 0 && left > capacity) {
        this.#seal(chunk.subarray(offset, offset + capacity), false, sealed);
        offset += capacity;
      } else {
        const taken = Math.min(capacity - this.#filled, left);
        this.#pending.set(chunk.subarray(offset, offset + taken), this.#filled);
        this.#filled += taken;
        offset += taken;
      }
    }
    return sealed;
  }

  /** Seals the last segment. */
  final(): Buffer[] {
    if (this.#ended) throw new TypeError('This encryptor is already finished.');
    this.#ended = true;
    const sealed: Buffer[] = [];
    this.#seal(this.#pending.subarray(0, this.#filled), true, sealed);
    return sealed;
  }

  #seal(plain: Uint8Array, last: boolean, into: Buffer[]): void {
    const nonce = segmentNonce(this.#noncePrefix, this.#index, last);
    const cipher = createCipheriv(gcmOf(this.#params), this.#key, nonce, { authTagLength: TAG_SIZE });
    if (this.#header) into.push(this.#header);
    this.#header = undefined;
    if (plain.length > 0) into.push(cipher.update(plain));
    cipher.final();
    into.push(cipher.getAuthTag());
    this.#index += 1;
  }
}
