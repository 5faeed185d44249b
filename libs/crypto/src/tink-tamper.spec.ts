import { createCipheriv, randomBytes } from 'node:crypto';
import { CryptoError } from './crypto-error.js';
import type { DecryptOptions } from './tink-decryptor.js';
import {
  ciphertextSize,
  deriveObjectKey,
  headerSize,
  plaintextSize,
  segmentNonce,
  writeHeader,
  type StreamParams,
} from './tink-layout.js';
import { SegmentReader } from './tink-reader.js';
import { decryptBytes, encryptBytes } from './tink-stream.js';

const key = randomBytes(32);
const associatedData = Buffer.from('a context');
const fourKib: StreamParams = { hash: 'sha256', derivedKeySize: 32, segmentSize: 4_096 };
const HEADER = headerSize(fourKib);

/** The code a damaged object is refused with; an object that is accepted answers `accepted`. */
const verdict = (attempt: () => unknown): string => {
  try {
    attempt();
    return 'accepted';
  } catch (error) {
    if (error instanceof CryptoError) return error.code;
    throw error;
  }
};

const decrypting = (stored: Buffer, more: Partial<DecryptOptions> = {}) => {
  const options = { key, associatedData, params: fourKib, ...more };
  return verdict(() => decryptBytes(stored, options));
};

/** Counts verdicts, so that a test can state them all at once. */
class Tally {
  readonly counts: Record<string, number> = {};
  add(code: string): void {
    this.counts[code] = (this.counts[code] ?? 0) + 1;
  }
}

/** Marsaglia's xorshift32: the figures of a run can be had again from its printed seed. */
const seededIntegers = (seed: number): ((below: number) => number) => {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
};

const newSeed = (): number => Number(process.env['CRYPTO_TEST_SEED'] ?? randomBytes(4).readUInt32BE());

describe('a 64 KiB object with 4 KiB segments', () => {
  const plain = randomBytes(plaintextSize(65_536, fourKib));
  const stored = encryptBytes(plain, { key, associatedData, params: fourKib });
  const segments = 16;

  it('is 64 KiB, and sound to begin with', () => {
    expect([stored.length, decrypting(stored)]).toEqual([65_536, 'accepted']);
  });

  // A segment is opened by itself and its nonce and key depend on the header alone. So the flips of the header are tried on the
  // whole object, and those of a segment on that segment: the same call the whole object would come to.
  it('rejects all 524,288 single-bit flips', () => {
    const tally = new Tally();
    const whole = Buffer.from(stored);
    for (let bit = 0; bit < HEADER * 8; bit += 1) {
      whole.writeUInt8(whole.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      tally.add(decrypting(whole));
      whole.writeUInt8(whole.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    }
    const reader = new SegmentReader({ key, associatedData, params: fourKib, header: stored, ciphertextSize: stored.length });
    for (let index = 0; index < segments; index += 1) {
      const segment = Buffer.from(stored.subarray(index === 0 ? HEADER : index * 4_096, (index + 1) * 4_096));
      const last = index === segments - 1;
      for (let bit = 0; bit < segment.length * 8; bit += 1) {
        segment.writeUInt8(segment.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        tally.add(verdict(() => reader.decryptSegment(index, last, segment)));
        segment.writeUInt8(segment.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      }
      expect(verdict(() => reader.decryptSegment(index, last, segment))).toBe('accepted');
    }
    expect(tally.counts).toEqual({ DATA_CORRUPT: 524_288 });
  }, 120_000);

  const seed = newSeed();
  it(`rejects 4,000 seeded flips tried on the whole object, naming the segment (CRYPTO_TEST_SEED=${seed})`, () => {
    const below = seededIntegers(seed);
    for (let i = 0; i < 4_000; i += 1) {
      const at = below(stored.length);
      const damaged = Buffer.from(stored);
      damaged.writeUInt8(damaged.readUInt8(at) ^ (1 << below(8)), at);
      const segment = at < HEADER ? 0 : at >> 12;
      const offset = at === 0 ? 0 : segment === 0 ? HEADER : segment * 4_096;
      const options = { key, associatedData, params: fourKib, ciphertextSize: stored.length };
      expect(() => decryptBytes(damaged, options)).toThrow(
        expect.objectContaining({ code: 'DATA_CORRUPT', details: expect.objectContaining({ segment, offset }) }),
      );
    }
  });

  it('rejects segments swapped, repeated, dropped, replaced or added', () => {
    const blocks = Array.from({ length: segments }, (_, i) => stored.subarray(i * 4_096, (i + 1) * 4_096));
    const other = encryptBytes(plain, { key, associatedData, params: fourKib });
    const changed = (change: (list: Buffer[]) => void): Buffer => {
      const list = [...blocks];
      change(list);
      return Buffer.concat(list);
    };
    const tally = new Tally();
    for (let i = 0; i < segments; i += 1) {
      for (let j = i + 1; j < segments; j += 1) {
        tally.add(decrypting(changed((list) => list.splice(i, 1, ...list.splice(j, 1, ...list.slice(i, i + 1))))));
      }
      tally.add(decrypting(changed((list) => list.splice(i, 0, ...list.slice(i, i + 1)))));
      if (i < segments - 1) tally.add(decrypting(changed((list) => list.splice(i, 1))));
      tally.add(decrypting(changed((list) => list.splice(i, 1, other.subarray(i * 4_096, (i + 1) * 4_096)))));
    }
    tally.add(decrypting(Buffer.concat([stored, stored.subarray(-4_096)])));
    tally.add(decrypting(Buffer.concat([stored, Buffer.of(0)])));
    tally.add(decrypting(Buffer.concat([stored, stored])));
    expect(tally.counts).toEqual({ DATA_CORRUPT: 120 + 16 + 15 + 16 + 3 });
    expect(decrypting(changed((list) => list.splice(segments - 1, 1)))).toBe('DATA_TRUNCATED');
  });

  it('rejects an authentic empty segment at the end, which a writer never makes', () => {
    const salt = randomBytes(32);
    const noncePrefix = randomBytes(7);
    const objectKey = deriveObjectKey(key, salt, associatedData, fourKib);
    const sealed = (index: number, last: boolean, content: Buffer): Buffer => {
      const cipher = createCipheriv('aes-256-gcm', objectKey, segmentNonce(noncePrefix, index, last));
      return Buffer.concat([cipher.update(content), cipher.final(), cipher.getAuthTag()]);
    };
    const content = randomBytes(plaintextSize(4_096, fourKib));
    const header = writeHeader({ salt, noncePrefix }, fourKib);
    expect(decrypting(Buffer.concat([header, sealed(0, true, content)]))).toBe('accepted');
    expect(decrypting(Buffer.concat([header, sealed(0, false, content), sealed(1, true, Buffer.of(1))]))).toBe('accepted');
    expect(decrypting(Buffer.concat([header, sealed(0, false, content), sealed(1, true, Buffer.alloc(0))]))).toBe(
      'DATA_TRUNCATED',
    );
  });
});

describe('truncation', () => {
  it('rejects every length of a 3-segment object with 4 KiB segments, with and without its size known', () => {
    const stored = encryptBytes(randomBytes(plaintextSize(2 * 4_096 + 1_000, fourKib)), { key, associatedData, params: fourKib });
    const known = new Tally();
    const unknown = new Tally();
    for (let length = 0; length < stored.length; length += 1) {
      known.add(decrypting(stored.subarray(0, length), { ciphertextSize: stored.length }));
      const code = decrypting(stored.subarray(0, length));
      unknown.add(code);
      const provable = length % 4_096 <= 16 || length < HEADER + 16;
      expect(code).toBe(provable ? 'DATA_TRUNCATED' : 'DATA_CORRUPT');
    }
    expect(stored.length).toBe(9_192);
    expect(known.counts).toEqual({ DATA_TRUNCATED: 9_192 });
    expect(Object.keys(unknown.counts).sort()).toEqual(['DATA_CORRUPT', 'DATA_TRUNCATED']);
  }, 60_000);

  it('names the segments', () => {
    const stored = encryptBytes(randomBytes(10_000), { key, associatedData, params: fourKib });
    const options = { key, associatedData, params: fourKib, ciphertextSize: stored.length };
    expect(() => decryptBytes(stored.subarray(0, 5_000), options)).toThrow(
      expect.objectContaining({ code: 'DATA_TRUNCATED', details: { segment: 1, segments: 3, offset: 5_000 } }),
    );
    expect(() => decryptBytes(stored.subarray(0, 5_000), options)).toThrow(
      'ends after 5000 bytes, inside or before segment 1 of 3',
    );
  });

  describe('with 1 MiB segments', () => {
    const size = 3 * 1_048_576 - 5_000;
    const stored = encryptBytes(randomBytes(plaintextSize(size)), { key, associatedData });
    const reader = new SegmentReader({ key, associatedData, header: stored, ciphertextSize: size });
    const known = { params: undefined, ciphertextSize: size };

    it('rejects every length within 64 bytes of a segment boundary, whole object decrypted', () => {
      const tally = new Tally();
      for (const boundary of [0, 1_048_576, 2_097_152, size]) {
        for (let length = Math.max(0, boundary - 64); length <= Math.min(size - 1, boundary + 64); length += 1) {
          const cut = stored.subarray(0, length);
          expect(['DATA_CORRUPT', 'DATA_TRUNCATED']).toContain(decrypting(cut, { params: undefined }));
          tally.add(decrypting(cut, known));
        }
      }
      expect(size).toBe(ciphertextSize(plaintextSize(size)));
      expect(tally.counts).toEqual({ DATA_TRUNCATED: 65 + 129 + 129 + 64 });
      expect(decrypting(stored, known)).toBe('accepted');
    }, 60_000);

    const seed = newSeed();
    it(`rejects 1,000 seeded lengths (CRYPTO_TEST_SEED=${seed})`, () => {
      const below = seededIntegers(seed);
      const tally = new Tally();
      for (let i = 0; i < 1_000; i += 1) {
        const length = below(size);
        tally.add(decrypting(stored.subarray(0, length), known));
        // What a reader would meet that does not know the size: a shorter last segment.
        const index = Math.floor(length / 1_048_576);
        const cut = stored.subarray(index === 0 ? HEADER : index * 1_048_576, length);
        expect(verdict(() => reader.decryptSegment(index, true, cut))).toBe('DATA_CORRUPT');
      }
      expect(tally.counts).toEqual({ DATA_TRUNCATED: 1_000 });
    }, 60_000);
  });
});
