import { randomInt } from 'node:crypto';

export interface SeededRandom {
  readonly seed: number;
  /** A float in [0, 1). */
  next(): number;
  /** An integer in [0, limit). */
  int(limit: number): number;
  pick<T>(items: readonly T[]): T;
  /** `count` different items (all of them when there are fewer), in random order. */
  sample<T>(items: readonly T[], count: number): T[];
  shuffle<T>(items: readonly T[]): T[];
  bytes(sizeBytes: number): Buffer;
}

const SEED_LIMIT = 2 ** 31;

/** mulberry32 (Tommy Ettinger, public domain): 32 bits of state, good enough to sample tests, never for secrets. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The same seed gives the same numbers on every machine and version. */
export function seededRandom(seed: number): SeededRandom {
  const next = mulberry32(seed);
  const int = (limit: number): number => Math.floor(next() * limit);
  const shuffle = <T>(items: readonly T[]): T[] => {
    const left = [...items];
    const taken: T[] = [];
    while (left.length > 0) taken.push(...left.splice(int(left.length), 1));
    return taken;
  };
  return {
    seed,
    next,
    int,
    shuffle,
    pick<T>(items: readonly T[]): T {
      if (items.length === 0) throw new Error('pick() needs at least one item');
      return items[int(items.length)] as T;
    },
    sample: (items, count) => shuffle(items).slice(0, count),
    bytes: (sizeBytes) => Buffer.from(Uint8Array.from({ length: sizeBytes }, () => int(256))),
  };
}

/**
 * The seed of this run: RAHAT_SEED when set, else a new one. Prints it, so that a failure can be run again with the same cases.
 * @param suite who asks, for the printed line
 * @throws Error when RAHAT_SEED is not an integer in [0, 2^31)
 */
export function seedFromEnv(suite: string): number {
  const given = process.env.RAHAT_SEED;
  const seed = given === undefined || given === '' ? randomInt(SEED_LIMIT) : Number(given);
  if (!Number.isInteger(seed) || seed < 0 || seed >= SEED_LIMIT) {
    throw new Error(`RAHAT_SEED must be an integer from 0 to ${SEED_LIMIT - 1}, not "${given}"`);
  }
  process.stderr.write(`${suite}: RAHAT_SEED=${seed}\n`);
  return seed;
}
