import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { Chunker, type ChunkSizes } from './fastcdc.js';
import { GEAR } from './gear-table.js';

const SMALL: ChunkSizes = { minBytes: 64, averageBytes: 256, maxBytes: 1024 };

const cut = (bytes: Buffer, slices: number[] = [], sizes = SMALL): Buffer[] => {
  const chunker = new Chunker(sizes);
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of [...slices, bytes.length]) {
    const end = Math.min(at + size, bytes.length);
    chunks.push(...chunker.push(bytes.subarray(at, end)));
    at = end;
  }
  return [...chunks, ...chunker.end()];
};

const noise = (sizeBytes: number, seed: number): Buffer => {
  const blocks: Buffer[] = [];
  for (let i = 0; i * 32 < sizeBytes; i += 1) blocks.push(createHash('sha256').update(`${seed}:${i}`).digest());
  return Buffer.concat(blocks).subarray(0, sizeBytes);
};

/** Lengths of the chunks, by the definition: one hash, one byte at a time. */
function plainCuts(bytes: Buffer, { minBytes, averageBytes, maxBytes }: ChunkSizes): number[] {
  const bits = Math.log2(averageBytes);
  const lengths: number[] = [];
  let start = 0;
  let hash = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const length = at + 1 - start;
    if (length <= minBytes) continue;
    hash = ((hash << 1) + (GEAR[bytes[at] as number] as number)) | 0;
    const isCut = hash >>> (length <= averageBytes ? 32 - bits - 2 : 32 - bits + 2) === 0;
    if (!isCut && length < maxBytes) continue;
    lengths.push(length);
    start = at + 1;
    hash = 0;
  }
  return start < bytes.length ? [...lengths, bytes.length - start] : lengths;
}

describe('gear table', () => {
  it('is the published one', () => {
    for (let i = 0; i < 256; i += 1) expect(GEAR[i]).toBe(createHash('md5').update(Buffer.alloc(64, i)).digest().readInt32BE(0));
  });
});

describe('Chunker', () => {
  it('finds the same chunks however the bytes are sliced', () => {
    const slices = fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 60 });
    const sizes = fc.integer({ min: 0, max: 40_000 });
    fc.assert(
      fc.property(sizes, fc.nat(), slices, (sizeBytes, seed, sliced) => {
        const bytes = noise(sizeBytes, seed);
        const chunks = cut(bytes, sliced);
        expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
        expect(chunks.map((chunk) => chunk.length)).toEqual(cut(bytes).map((chunk) => chunk.length));
      }),
      { numRuns: 150 },
    );
  });

  it('cuts where one byte after the other would be looked at', () => {
    // Large enough for whole blocks, which are searched four places at once; a hit in the first or the last byte of one counts as any other.
    const sizes: ChunkSizes = { minBytes: 4096, averageBytes: 16_384, maxBytes: 65_536 };
    const slices = fc.array(fc.integer({ min: 1, max: 70_000 }), { maxLength: 20 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 500_000 }), fc.nat(), slices, (sizeBytes, seed, sliced) => {
        const bytes = noise(sizeBytes, seed);
        expect(cut(bytes, sliced, sizes).map((chunk) => chunk.length)).toEqual(plainCuts(bytes, sizes));
      }),
      { numRuns: 60 },
    );
  });

  it('keeps minimum and maximum, except for the last chunk', () => {
    const chunks = cut(noise(300_000, 1)).slice(0, -1);
    for (const chunk of chunks) {
      expect(chunk.length).toBeGreaterThan(SMALL.minBytes);
      expect(chunk.length).toBeLessThanOrEqual(SMALL.maxBytes);
    }
    const average = chunks.reduce((sum, chunk) => sum + chunk.length, 0) / chunks.length;
    expect(average).toBeGreaterThan(200);
    expect(average).toBeLessThan(420);
    expect(
      new Set(
        cut(Buffer.alloc(5000, 0x61))
          .slice(0, -1)
          .map((chunk) => chunk.length),
      ),
    ).toEqual(new Set([1024]));
  });

  it('changes only a few chunks around an insertion', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 0, max: 100_000 }),
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        (seed, at, insert) => {
          const before = noise(100_000, seed);
          const after = Buffer.concat([before.subarray(0, at), insert, before.subarray(at)]);
          const known = new Set(cut(before).map((chunk) => chunk.toString('latin1')));
          const fresh = cut(after).filter((chunk) => !known.has(chunk.toString('latin1')));
          expect(fresh.length).toBeLessThan(20);
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each([0, 3000, 100_000])('never overwrites a view that is still needed, of the last %i bytes', (needed) => {
    const bytes = noise(400_000, 7);
    const chunker = new Chunker(SMALL);
    const kept: { view: Buffer; sum: string; at: number }[] = [];
    let offset = 0;
    for (let at = 0; at < bytes.length; at += 1000) {
      for (const view of chunker.push(bytes.subarray(at, at + 1000))) {
        kept.push({ view, sum: createHash('sha256').update(view).digest('hex'), at: offset });
        offset += view.length;
        if (needed > 0) chunker.releaseBefore(offset - needed);
      }
      if (at % 25_000 !== 0) continue;
      for (const { view, sum } of kept.filter((chunk) => needed === 0 || chunk.at >= offset - needed)) {
        expect(createHash('sha256').update(view).digest('hex')).toBe(sum);
      }
    }
    // With releases, memory really is used again.
    const slabs = new Set(kept.map(({ view }) => view.buffer));
    expect(needed === 3000 ? slabs.size <= 3 : slabs.size > 10).toBe(true);
  });

  it('cuts as format 1 always did (known answer)', () => {
    const real = new Chunker();
    const lengths = [...real.push(noise(3_000_000, 42)), ...real.end()].map((chunk) => chunk.length);
    expect(lengths).toMatchInlineSnapshot(`
     [
       278346,
       281308,
       273953,
       394009,
       268970,
       85853,
       317528,
       285515,
       326112,
       272149,
       216257,
     ]
    `);
  });
});
