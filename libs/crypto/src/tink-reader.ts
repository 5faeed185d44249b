import { CryptoError } from './crypto-error.js';
import { SegmentOpener, type DecryptOptions } from './tink-decryptor.js';
import {
  AES256_GCM_HKDF_1MB,
  plaintextSize,
  plainRangeToCipherRange,
  segmentCount,
  segmentStart,
  type CipherRange,
  type StreamParams,
} from './tink-layout.js';

export interface SegmentReaderOptions extends DecryptOptions {
  /** The first bytes of the object (40 in the default profile; more are ignored). */
  readonly header: Uint8Array;
  /** Stored bytes of the whole object. It must come from the signed manifest: it decides which segment is the last. */
  readonly ciphertextSize: number;
}

/**
 * Random access to one object: ask for the range, fetch those stored bytes, decrypt them. Does no I/O, keeps no data, and may be
 * shared by parallel readers. Throws DATA_CORRUPT naming segment and byte offset, DATA_TRUNCATED for a size no object has.
 */
export class SegmentReader {
  readonly plaintextSize: number;
  readonly segments: number;
  readonly #params: StreamParams;
  readonly #cipherSize: number;
  readonly #opener: SegmentOpener;

  constructor(options: SegmentReaderOptions) {
    this.#params = options.params ?? AES256_GCM_HKDF_1MB;
    this.#cipherSize = options.ciphertextSize;
    this.segments = segmentCount(options.ciphertextSize, this.#params);
    this.plaintextSize = plaintextSize(options.ciphertextSize, this.#params);
    this.#opener = new SegmentOpener(options, options.header);
  }

  /** The stored bytes to fetch for plaintext bytes `plainStart` (included) to `plainEnd` (not included). */
  cipherRange(plainStart: number, plainEnd: number): CipherRange {
    return plainRangeToCipherRange(plainStart, plainEnd, this.#cipherSize, this.#params);
  }

  /** Plaintext of one segment. `ciphertext` is without the header; `last` is whether the caller holds it to be the last one. */
  decryptSegment(index: number, last: boolean, ciphertext: Uint8Array): Buffer {
    const plain = this.#opener.open(index, last, ciphertext);
    if (plain) return plain;
    const offset = segmentStart(index, this.#params);
    throw new CryptoError(
      'DATA_CORRUPT',
      `Segment ${index} of ${this.segments}, at byte ${offset}, is damaged or not this object's. Fetch it again or use another copy.`,
      { segment: index, segments: this.segments, offset },
    );
  }

  /**
   * Plaintext bytes `plainStart` to `plainEnd`; `ciphertext` is exactly what `cipherRange` names for them. Throws DATA_TRUNCATED when
   * fewer bytes came back, RangeError when more did.
   */
  decryptRange(plainStart: number, plainEnd: number, ciphertext: Uint8Array): Buffer {
    const { start, end, firstSegment, skip } = this.cipherRange(plainStart, plainEnd);
    if (ciphertext.length > end - start) throw new RangeError(`Expected ${end - start} stored bytes, got ${ciphertext.length}.`);
    if (ciphertext.length < end - start) {
      throw new CryptoError(
        'DATA_TRUNCATED',
        `Only ${ciphertext.length} of ${end - start} stored bytes were read. Fetch them again.`,
        {
          segment: firstSegment,
          segments: this.segments,
          offset: start + ciphertext.length,
        },
      );
    }
    const parts: Buffer[] = [];
    for (let index = firstSegment, at = start; at < end; index += 1) {
      const next = Math.min((index + 1) * this.#params.segmentSize, end);
      parts.push(this.decryptSegment(index, index === this.segments - 1, ciphertext.subarray(at - start, next - start)));
      at = next;
    }
    const [only] = parts;
    const plain = parts.length === 1 && only ? only : Buffer.concat(parts);
    return plain.subarray(skip, skip + plainEnd - plainStart);
  }
}
