import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { crcOfRest } from './crc-of-rest.js';
import { decodeLine, encodeLine, replayJournal } from './journal-line.js';

const records = fc.array(fc.record({ kind: fc.constantFrom('received', 'ended'), id: fc.string({ unit: 'binary' }) }), {
  maxLength: 12,
});

/** Batches as JournalFile writes them: every line of one write carries the length before it. */
function written(batches: readonly (readonly unknown[])[]): { bytes: Buffer; starts: number[]; all: unknown[] } {
  let bytes = Buffer.alloc(0);
  const starts: number[] = [];
  for (const batch of batches) {
    starts.push(bytes.length);
    const start = bytes.length;
    bytes = Buffer.concat([bytes, ...batch.map((record) => Buffer.from(encodeLine(start, record)))]);
  }
  return { bytes, starts, all: batches.flat() };
}

describe('journal lines', () => {
  it('read back what was written, whatever it holds', () => {
    fc.assert(
      fc.property(fc.array(records, { maxLength: 5 }), (batches) => {
        const { bytes, all } = written(batches);
        expect(replayJournal(bytes)).toEqual({ records: all, validBytes: bytes.length });
      }),
    );
  });

  it('survive a cut at any byte: the whole lines before it stay, nothing else appears', () => {
    fc.assert(
      fc.property(fc.array(records, { minLength: 1, maxLength: 4 }), fc.nat(), (batches, cut) => {
        const { bytes, all } = written(batches);
        const at = bytes.length === 0 ? 0 : cut % bytes.length;
        const replay = replayJournal(bytes.subarray(0, at));
        expect(replay.damagedAtByte).toBeUndefined();
        expect(replay.records).toEqual(all.slice(0, replay.records.length));
        expect(replay.validBytes).toBeLessThanOrEqual(at);
        expect(bytes.subarray(0, at).indexOf('\n', replay.validBytes)).toBe(-1);
      }),
    );
  });

  it('survive a last write of which any sectors are missing', () => {
    fc.assert(
      fc.property(
        fc.array(records, { minLength: 1, maxLength: 4 }),
        fc.array(fc.record({ type: fc.constant('x'), n: fc.nat() }), { minLength: 1, maxLength: 6 }),
        fc.nat(),
        (batches, last, seed) => {
          const { bytes, all } = written(batches);
          const tail = Buffer.from(last.map((record) => encodeLine(bytes.length, record)).join(''));
          const from = seed % tail.length;
          tail.fill(0, from, Math.min(tail.length, from + 16));
          const replay = replayJournal(Buffer.concat([bytes, tail]));
          expect(replay.damagedAtByte).toBeUndefined();
          expect(replay.records.slice(0, all.length)).toEqual(all);
          expect(replay.validBytes).toBeGreaterThanOrEqual(bytes.length);
        },
      ),
    );
  });

  it('tell damage of a synced line from a torn one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(), { minLength: 2, maxLength: 8 }),
        fc.nat(),
        fc.integer({ min: 0, max: 7 }),
        (ids, at, bit) => {
          const { bytes, starts } = written(ids.map((id) => [{ id }]));
          const lastStart = starts.at(-1) ?? 0;
          const damaged = Buffer.from(bytes);
          const position = at % lastStart;
          damaged.writeUInt8(damaged.readUInt8(position) ^ (1 << bit), position);
          const replay = replayJournal(damaged);
          expect(replay.damagedAtByte).toBeDefined();
          expect(replay.damagedAtByte).toBeLessThanOrEqual(position);
        },
      ),
    );
  });

  it('refuse a line of which one character differs', () => {
    const line = encodeLine(42, { kind: 'running', id: 'a' }).trimEnd();
    expect(decodeLine(line)).toEqual({ batchStart: 42, record: { kind: 'running', id: 'a' } });
    for (let at = 0; at < line.length; at += 1) {
      const changed = `${line.slice(0, at)}${line[at] === '0' ? '1' : '0'}${line.slice(at + 1)}`;
      expect(decodeLine(changed)).toBeUndefined();
    }
  });

  it('find a line behind a damaged newline, also when nothing in it is ASCII', () => {
    const { bytes, starts } = written([[{ id: 'ä' }], [{ id: '\u{1f5c4}' }], [{ id: 'c' }]]);
    const damaged = Buffer.from(bytes);
    for (const start of starts.slice(1)) {
      damaged.writeUInt8(0xff, start - 1);
      expect(replayJournal(damaged)).toEqual({ records: [], validBytes: 0, damagedAtByte: 0 });
    }
  });

  it('compute the checksum of any rest out of those before it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.uint8Array({ maxLength: 3000 }), (start, rest) => {
        const whole = Buffer.concat([start, rest]);
        const stretch = (bytes: Uint8Array) => ({ crc: crc32(bytes), bytes: bytes.length });
        expect(crcOfRest(stretch(whole), stretch(start))).toBe(crc32(rest));
      }),
    );
  });

  it.each([true, false])('read a line of 100,000 line heads, their checksums right: %s, as fast as any other', (right) => {
    const heads = ['"\n'];
    let rest = { crc: crc32('"'), bytes: 1 };
    const before = (text: string): void => {
      const bytes = rest.bytes + text.length;
      rest = { crc: crcOfRest({ crc: rest.crc, bytes }, { crc: crc32(text), bytes: text.length }), bytes }; // its own inverse
      heads.push(text);
    };
    for (let count = 0; count < 100_000; count += 1) {
      before('1 {"');
      before(`${(right ? rest.crc : 1).toString(16).padStart(8, '0')} `);
    }
    const line = Buffer.from(`?${heads.reverse().join('')}`);
    const { user } = process.cpuUsage();
    expect(replayJournal(line)).toEqual({ records: [], validBytes: 0 });
    expect(process.cpuUsage().user - user).toBeLessThan(10_000_000);
  });
});
