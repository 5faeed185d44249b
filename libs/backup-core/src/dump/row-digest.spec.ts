import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { RowDigest } from './row-digest.js';

const naive = (rows: Buffer[]): string => {
  const sum = rows.reduce((total, row) => total + BigInt(`0x${createHash('sha256').update(row).digest('hex').slice(0, 32)}`), 0n);
  return (sum % 2n ** 128n).toString(16).padStart(32, '0');
};

describe('RowDigest', () => {
  it('is the sum modulo 2^128, in any order and however the bytes are cut', () => {
    const row = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 10)));
    fc.assert(
      fc.property(fc.array(row, { maxLength: 50 }), fc.integer({ min: 1, max: 30 }), (rows, step) => {
        const text = Buffer.concat(rows.flatMap((each) => [each, Buffer.from('\n')]));
        const cut = new RowDigest();
        for (let at = 0; at < text.length; at += step) cut.push(text.subarray(at, at + step));
        const reversed = new RowDigest();
        for (const each of rows.toReversed()) reversed.add(each);
        expect(cut.rows).toBe(rows.length);
        expect(cut.digest()).toBe(naive(rows));
        expect(reversed.digest()).toBe(naive(rows));
      }),
    );
  });

  it('hashes rows of any length, in pieces of any size', () => {
    const lengths = [0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3_000_000, 5];
    const rows = lengths.map((length, at) => Buffer.alloc(length, `row ${at} `));
    const text = Buffer.concat(rows.flatMap((each) => [each, Buffer.from('\n')]));
    for (const step of [1000, 65_536, 256 * 1024, text.length]) {
      const digest = new RowDigest();
      for (let at = 0; at < text.length; at += step) digest.push(text.subarray(at, at + step));
      expect(digest).toMatchObject({ rows: rows.length });
      expect(digest.digest()).toBe(naive(rows));
    }
  });

  it('sees one changed, added or lost row', () => {
    const digestOf = (...rows: string[]): string => {
      const digest = new RowDigest();
      for (const row of rows) digest.add(Buffer.from(row));
      return digest.digest();
    };
    const all = [digestOf('a', 'b'), digestOf('a', 'c'), digestOf('a', 'b', 'b'), digestOf('a'), digestOf()];
    expect(new Set(all).size).toBe(all.length);
  });

  it('carries when lanes grow beyond 2^53', () => {
    const digest = new RowDigest();
    const row = Buffer.from('row');
    const rows = 2 ** 20 + 3;
    for (let n = 0; n < rows; n += 1) digest.add(row);
    const one = BigInt(`0x${createHash('sha256').update(row).digest('hex').slice(0, 32)}`);
    expect(digest.digest()).toBe(((one * BigInt(rows)) % 2n ** 128n).toString(16).padStart(32, '0'));
  });
});
