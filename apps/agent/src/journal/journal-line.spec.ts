import fc from 'fast-check';
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
});
