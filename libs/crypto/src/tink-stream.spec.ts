import { randomBytes } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { isCryptoError } from './crypto-error.js';
import { SegmentDecryptor } from './tink-decryptor.js';
import { SegmentEncryptor } from './tink-encryptor.js';
import {
  ciphertextSize,
  headerSize,
  plainRangeToCipherRange,
  plaintextSize,
  segmentCapacity,
  segmentCount,
  segmentNonce,
  type StreamParams,
} from './tink-layout.js';
import { SegmentReader } from './tink-reader.js';
import { decryptBytes, decryptStream, encryptBytes, encryptStream } from './tink-stream.js';

const key = randomBytes(32);
const associatedData = Buffer.from('a context');
const small: StreamParams = { hash: 'sha256', derivedKeySize: 32, segmentSize: 64 };
const options = { key, associatedData, params: small };

const cut = (bytes: Buffer, lengths: readonly number[]): Buffer[] => {
  const chunks: Buffer[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i += 1) {
    const length = lengths.length === 0 ? bytes.length : (lengths[i % lengths.length] ?? 1);
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return chunks;
};

const through = async (chunks: readonly Buffer[], stream: NodeJS.ReadWriteStream): Promise<Buffer> => {
  const out: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      out.push(chunk);
      done();
    },
  });
  await pipeline(Readable.from(chunks), stream, sink);
  return Buffer.concat(out);
};

const chunkLengths = fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 6 });
const plaintext = fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes));

describe('round trip', () => {
  it('holds for any plaintext, chunked in any way on both sides (fast-check)', () => {
    fc.assert(
      fc.property(plaintext, chunkLengths, chunkLengths, (plain, writes, reads) => {
        const encryptor = new SegmentEncryptor(options);
        const stored = Buffer.concat([...cut(plain, writes).flatMap((chunk) => encryptor.update(chunk)), ...encryptor.final()]);
        expect(stored.length).toBe(ciphertextSize(plain.length, small));
        expect(plaintextSize(stored.length, small)).toBe(plain.length);
        const decryptor = new SegmentDecryptor({ ...options, ciphertextSize: stored.length });
        const back = Buffer.concat([...cut(stored, reads).flatMap((chunk) => decryptor.update(chunk)), ...decryptor.final()]);
        expect(back.equals(plain)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('holds through the streams', async () => {
    await fc.assert(
      fc.asyncProperty(plaintext, chunkLengths, async (plain, lengths) => {
        const stored = await through(cut(plain, lengths), encryptStream(options));
        expect((await through(cut(stored, lengths), decryptStream(options))).equals(plain)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('holds at every size around a segment boundary of the 1 MiB profile', () => {
    const plain = randomBytes(1_048_520 + 2 * 1_048_560 + 3);
    for (const boundary of [1_048_520, 1_048_520 + 1_048_560, 1_048_520 + 2 * 1_048_560]) {
      for (const size of [boundary - 1, boundary, boundary + 1]) {
        const stored = encryptBytes(plain.subarray(0, size), { key, associatedData });
        expect(stored.length).toBe(ciphertextSize(size));
        expect(decryptBytes(stored, { key, associatedData }).equals(plain.subarray(0, size))).toBe(true);
      }
    }
  });

  it('lets the caller reuse a chunk as soon as update is back', () => {
    const encryptor = new SegmentEncryptor(options);
    const chunk = Buffer.alloc(100);
    const parts: Buffer[] = [];
    for (let i = 0; i < 9; i += 1) parts.push(...encryptor.update(chunk.fill(i)));
    const back = decryptBytes(Buffer.concat([...parts, ...encryptor.final()]), options);
    expect(back.equals(Buffer.concat(Array.from({ length: 9 }, (_, i) => Buffer.alloc(100, i))))).toBe(true);
  });

  it('gives every object its own salt and prefix', () => {
    const headers = Array.from({ length: 100 }, () => encryptBytes(Buffer.alloc(0), options).toString('hex', 0, 40));
    expect(new Set(headers).size).toBe(100);
  });

  it('binds the associated data and the key', () => {
    const stored = encryptBytes(Buffer.from('rows'), options);
    expect(() => decryptBytes(stored, { ...options, associatedData: Buffer.from('another context') })).toThrow('damaged');
    expect(() => decryptBytes(stored, { ...options, key: randomBytes(32) })).toThrow('damaged');
  });
});

describe('streams', () => {
  it('let nothing out that is not authenticated', async () => {
    const plain = randomBytes(10 * 48);
    const stored = encryptBytes(plain, options);
    stored.writeUInt8(stored.readUInt8(5 * 64 + 3) ^ 1, 5 * 64 + 3);
    const out: Buffer[] = [];
    const decrypt = decryptStream(options).on('data', (chunk: Buffer) => out.push(chunk));
    const failure = await pipeline(Readable.from(cut(stored, [7])), decrypt).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'DATA_CORRUPT', details: { segment: 5, offset: 320 } });
    expect(Buffer.concat(out).equals(plain.subarray(0, segmentCapacity(0, small) + 4 * segmentCapacity(1, small)))).toBe(true);
  });

  it('refuse to go on after the end', () => {
    const encryptor = new SegmentEncryptor(options);
    encryptor.final();
    expect(() => encryptor.update(Buffer.of(1))).toThrow(TypeError);
    expect(() => encryptor.final()).toThrow(TypeError);
    const decryptor = new SegmentDecryptor(options);
    expect(() => decryptor.final()).toThrow('ends after 0 bytes');
    expect(() => decryptor.update(Buffer.of(1))).toThrow(TypeError);
  });

  it('refuse keys, salts and parameters of a wrong size', () => {
    expect(() => new SegmentEncryptor({ ...options, key: randomBytes(31) })).toThrow(RangeError);
    expect(() => new SegmentEncryptor({ ...options, salt: randomBytes(16) })).toThrow(RangeError);
    expect(() => new SegmentEncryptor({ ...options, params: { ...small, segmentSize: 56 } })).toThrow(RangeError);
  });
});

describe('sizes', () => {
  it('refuse a size that no complete object has', () => {
    for (const size of [0, 39, 40, 55, 65, 80, 129, 144]) {
      expect(() => plaintextSize(size, small)).toThrow(expect.objectContaining({ code: 'DATA_TRUNCATED' }));
    }
    expect([56, 64, 81, 128, 145].map((size) => segmentCount(size, small))).toEqual([1, 1, 2, 2, 3]);
    expect(() => ciphertextSize(-1)).toThrow(RangeError);
    expect(() => ciphertextSize(0.5)).toThrow(RangeError);
  });

  it('guard 2^32 segments, so that no nonce is used twice', () => {
    const most = 2 ** 32 * segmentCapacity(1) - headerSize();
    expect(segmentCount(ciphertextSize(most))).toBe(2 ** 32);
    expect(() => ciphertextSize(most + 1)).toThrow(expect.objectContaining({ code: 'FORMAT_UNSUPPORTED' }));
    const prefix = Buffer.alloc(7, 0xaa);
    expect(segmentNonce(prefix, 2 ** 32 - 1, true).toString('hex')).toBe('aaaaaaaaaaaaaaffffffff01');
    expect(() => segmentNonce(prefix, 2 ** 32, true)).toThrow(expect.objectContaining({ code: 'FORMAT_UNSUPPORTED' }));
  });
});

describe('random access', () => {
  const plain = randomBytes(segmentCapacity(0, small) + 3 * segmentCapacity(1, small) + 11);
  const stored = encryptBytes(plain, options);
  const reader = new SegmentReader({ ...options, header: stored.subarray(0, 40), ciphertextSize: stored.length });
  const fetched = (start: number, end: number): Buffer => stored.subarray(start, end);

  it('reads every range of a 5-segment object', () => {
    expect(reader).toMatchObject({ plaintextSize: plain.length, segments: 5 });
    let ranges = 0;
    for (let from = 0; from <= plain.length; from += 1) {
      for (let to = from; to <= plain.length; to += 1) {
        const { start, end } = reader.cipherRange(from, to);
        if (!reader.decryptRange(from, to, fetched(start, end)).equals(plain.subarray(from, to)))
          throw new Error(`${from} to ${to}`);
        ranges += 1;
      }
    }
    expect(ranges).toBe(((plain.length + 1) * (plain.length + 2)) / 2);
  });

  it('fetches only the segments that hold the range', () => {
    expect(plainRangeToCipherRange(0, 8, stored.length, small)).toEqual({ start: 40, end: 64, firstSegment: 0, skip: 0 });
    expect(plainRangeToCipherRange(7, 9, stored.length, small)).toEqual({ start: 40, end: 128, firstSegment: 0, skip: 7 });
    expect(plainRangeToCipherRange(8, 56, stored.length, small)).toEqual({ start: 64, end: 128, firstSegment: 1, skip: 0 });
    expect(plainRangeToCipherRange(plain.length - 1, plain.length, stored.length, small)).toMatchObject({
      end: stored.length,
      skip: 10,
    });
    expect(() => reader.cipherRange(0, plain.length + 1)).toThrow(RangeError);
    expect(() => reader.cipherRange(5, 4)).toThrow(RangeError);
  });

  it('names the damaged segment and its offset', () => {
    const { start, end } = reader.cipherRange(100, 101);
    const damaged = Buffer.from(fetched(start, end));
    damaged.writeUInt8(damaged.readUInt8(0) ^ 0x80, 0);
    expect(() => reader.decryptRange(100, 101, damaged)).toThrow(
      expect.objectContaining({ code: 'DATA_CORRUPT', details: { segment: 2, segments: 5, offset: 128 } }),
    );
    expect(() => reader.decryptRange(100, 101, fetched(start, end - 1))).toThrow(
      expect.objectContaining({ code: 'DATA_TRUNCATED', details: { segment: 2, segments: 5, offset: end - 1 } }),
    );
    expect(() => reader.decryptRange(100, 101, fetched(start, end + 1))).toThrow(RangeError);
  });

  it('takes no segment for another, nor the last for an inner one', () => {
    const first = fetched(64, 128);
    expect(reader.decryptSegment(1, false, first).equals(plain.subarray(8, 56))).toBe(true);
    for (const [index, last] of [
      [0, false],
      [2, false],
      [1, true],
    ] as const) {
      expect(() => reader.decryptSegment(index, last, first)).toThrow(expect.objectContaining({ code: 'DATA_CORRUPT' }));
    }
    expect(() => reader.decryptSegment(2 ** 32, true, first)).toThrow(expect.objectContaining({ code: 'FORMAT_UNSUPPORTED' }));
  });

  it('works on the 1 MiB profile by seeded ranges (fast-check)', () => {
    const big = randomBytes(2_500_000);
    const bigStored = encryptBytes(big, { key, associatedData });
    const bigReader = new SegmentReader({ key, associatedData, header: bigStored, ciphertextSize: bigStored.length });
    const offset = fc.integer({ min: 0, max: big.length });
    fc.assert(
      fc.property(offset, offset, (a, b) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        const { start, end } = bigReader.cipherRange(from, to);
        return bigReader.decryptRange(from, to, bigStored.subarray(start, end)).equals(big.subarray(from, to));
      }),
    );
  });
});

it('isCryptoError tells codes apart', () => {
  const failure = ((): unknown => {
    try {
      return decryptBytes(Buffer.alloc(3), options);
    } catch (error) {
      return error;
    }
  })();
  expect([isCryptoError(failure), isCryptoError(failure, 'DATA_TRUNCATED'), isCryptoError(failure, 'WRONG_KEY')]).toEqual([
    true,
    true,
    false,
  ]);
});
