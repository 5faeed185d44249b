import { AppError } from '@rahatback/contracts';
import { CryptoError } from '@rahatback/crypto';
import { readFileSync } from 'node:fs';
import { inputOf, readVector, VECTOR_KINDS, vectorFile, type Vector } from './vector.suite.js';

const ALL = VECTOR_KINDS.map((kind) => ({ kind, vectors: JSON.parse(readFileSync(vectorFile(kind), 'utf8')) as Vector[] }));

/** The code, or what else came of it. */
const outcomeOf = async (work: () => Promise<unknown>): Promise<string> => {
  try {
    await work();
    return 'accepted';
  } catch (error) {
    return error instanceof AppError || error instanceof CryptoError ? error.code : `crash: ${String(error)}`;
  }
};

describe('inputs with exactly one fault', () => {
  it('are at least 150, each with a name of its own', () => {
    const names = ALL.flatMap(({ kind, vectors }) => vectors.map(({ name }) => `${kind}: ${name}`));
    process.stdout.write(`vectors: ${ALL.map(({ kind, vectors }) => `${vectors.length} ${kind}`).join(', ')}\n`);
    expect(names.length).toBeGreaterThanOrEqual(150);
    expect(new Set(names).size).toBe(names.length);
  });

  describe.each(ALL)('$kind', ({ kind, vectors }) => {
    it('has bases that are read', async () => {
      for (const base of new Set(vectors.map((vector) => vector.base))) {
        const sound: Vector = { name: base, base, code: '' };
        expect([base, await outcomeOf(() => readVector(kind, inputOf(kind, sound), sound))]).toEqual([base, 'accepted']);
      }
    });

    it.each(vectors.map((vector) => [vector.name, vector.code, vector] as const))('%s: %s', async (_name, code, vector) => {
      expect(await outcomeOf(() => readVector(kind, inputOf(kind, vector), vector))).toBe(code);
    });
  });
});
