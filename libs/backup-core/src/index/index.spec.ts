import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { encodeFrame } from '../frames/frame-codec.js';
import { ChunkTable } from './chunk-table.js';
import { encodeRun, type IndexRun } from './index-format.js';
import { FactsAssembler, readIndex, type IndexLine } from './index-reader.js';

const idOf = (n: number): Buffer => createHash('sha256').update(String(n)).digest();
const runOf = (n: number, chunks = 3): IndexRun => ({
  frame: { backup: n % 2, volume: 1 + (n % 5), offset: n * 1000, frameLength: 500, plainLength: 900 },
  chunks: Array.from({ length: chunks }, (_, k) => ({ id: idOf(n * 10 + k), length: 300, offset: 300 * k })),
});
const HEADER = '{"index":1,"backup":"b","links":["a"],"chunker":"x"}';
const endOf = (chunks: number, bytes: number): string =>
  `{"end":{"chunks":${chunks},"bytes":${bytes},"sha256":"${'0'.repeat(64)}"}}`;

/** The stored form of some lines, cut into pieces of `step` bytes. */
async function* stored(blocks: string[][], step: number): AsyncGenerator<Buffer> {
  const frames = await Promise.all(blocks.map((lines) => encodeFrame(Buffer.from(`${lines.join('\n')}\n`), 'zstd')));
  const bytes = Buffer.concat(frames);
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
}
const linesOf = (blocks: string[][], step = 1000): Promise<IndexLine[]> => allOf(readIndex(stored(blocks, step)));

describe('index', () => {
  it.each([1, 13, 100_000])('reads what was written, stored in pieces of %i bytes', async (step) => {
    const runs = Array.from({ length: 40 }, (_, n) => runOf(n));
    const facts = [
      JSON.stringify({ facts: { encoding: 'UTF8' } }),
      JSON.stringify({ table: { table: 't' } }),
      JSON.stringify({ later: 1 }),
    ];
    const blocks = [[HEADER, ...runs.slice(0, 20).map(encodeRun)], runs.slice(20).map(encodeRun), [...facts, endOf(120, 36_000)]];
    const lines = await linesOf(blocks, step);
    expect(lines.filter((line) => line.kind === 'run').map(({ run }) => run)).toEqual(runs);
    const assembler = new FactsAssembler();
    for (const line of lines) if (line.kind === 'facts') assembler.add(line.part);
    expect(assembler.facts()).toMatchObject({ encoding: 'UTF8', tables: [{ table: 't' }], sequences: [], objects: [] });
  });

  const good = encodeRun(runOf(2));
  it.each<[string, string[][]]>([
    ['has no header', [[good, endOf(3, 900)]]],
    ['has no end', [[HEADER, good]]],
    ['goes on after its end', [[HEADER, good, endOf(3, 900), good]]],
    ['does not add up in chunks', [[HEADER, good, endOf(2, 900)]]],
    ['does not add up in bytes', [[HEADER, good, endOf(3, 901)]]],
    ['points to a backup that is not there', [[HEADER, good.replace('"b":0', '"b":2'), endOf(3, 900)]]],
    ['has a negative offset', [[HEADER, good.replace('"o":2000', '"o":-1'), endOf(3, 900)]]],
    ['has a chunk outside of its frame', [[HEADER, good.replace(',300,600]', ',301,600]'), endOf(3, 901)]]],
    ['has a frame that is a bomb', [[HEADER, good.replace('"p":900', '"p":99999999999'), endOf(3, 900)]]],
    ['has a short id', [[HEADER, good.replace(/"[A-Za-z0-9+/]{43}="/, '"AAAA"'), endOf(3, 900)]]],
    ['is no JSON', [[HEADER, '{', endOf(0, 0)]]],
    ['is empty', []],
  ])('is refused when it %s', async (_name, blocks) => {
    await expect(linesOf(blocks)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
  });

  it('is refused when it is of a later format or cut in a block', async () => {
    await expect(linesOf([[HEADER.replace('"index":1', '"index":2')]])).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' });
    const bytes = await encodeFrame(Buffer.from(`${HEADER}\n${endOf(0, 0)}\n`), 'zstd');
    for (let length = 1; length < bytes.length; length += 1) {
      await expect(allOf(readIndex(one(bytes.subarray(0, length))))).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
    }
  });
});

describe('a block of an index that is nothing but line ends', () => {
  it('costs its own size', async () => {
    const lineEnds = 96 * 1024 * 1024;
    const block = await encodeFrame(Buffer.alloc(lineEnds, '\n'), 'zstd');
    expect(block.length).toBeLessThan(64 * 1024);
    const heapBefore = process.memoryUsage().heapTotal;
    await expect(allOf(readIndex(one(block)))).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
    expect(process.memoryUsage().heapTotal - heapBefore).toBeLessThan(lineEnds);
  });
});

async function allOf<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

describe('ChunkTable', () => {
  it('answers as a Map does', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(300), fc.nat(3)), { maxLength: 400 }), (entries) => {
        const table = new ChunkTable();
        const map = new Map<string, { offset: number; length: number; place: number }>();
        for (const [position, [number, size]] of entries.entries()) {
          const run: IndexRun = {
            frame: { backup: 1, volume: 2, offset: position * 2 ** 33, frameLength: position, plainLength: 9000 },
            chunks: [{ id: idOf(number), length: 100 + size, offset: position }],
          };
          table.add(run);
          const key = idOf(number).toString('hex');
          if (!map.has(key)) map.set(key, { offset: position, length: 100 + size, place: position });
        }
        expect(table.size).toBe(map.size);
        for (let number = 0; number <= 300; number += 1) {
          const expected = map.get(idOf(number).toString('hex'));
          const found = expected ? table.find(idOf(number), expected.length) : table.find(idOf(number), 100);
          expect(found?.offset).toBe(expected?.offset);
          if (!expected) continue;
          expect(found?.frame).toEqual({
            backup: 1,
            volume: 2,
            offset: expected.place * 2 ** 33,
            frameLength: expected.place,
            plainLength: 9000,
          });
          expect(table.find(idOf(number), 99)).toBeUndefined();
        }
      }),
      { numRuns: 30 },
    );
  });

  it('grows to many chunks', () => {
    const table = new ChunkTable();
    for (let n = 0; n < 20_000; n += 1) table.add(runOf(n));
    expect(table.size).toBe(60_000);
    for (let n = 0; n < 20_000; n += 777)
      expect(table.find(idOf(n * 10 + 2), 300)).toEqual({ frame: runOf(n).frame, offset: 600 });
  });
});
