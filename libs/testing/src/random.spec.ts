import { seededRandom, seedFromEnv } from './random.js';

describe('seeded random', () => {
  it('is the published mulberry32', () => {
    const random = seededRandom(1);
    expect([random.next(), random.next(), random.next()].map((value) => Math.floor(value * 2 ** 32))).toEqual([
      2693262067, 11749833, 2265367787,
    ]);
  });

  it('gives the same draws for the same seed, and others for another', () => {
    const draws = (seed: number): unknown[] => {
      const random = seededRandom(seed);
      return [
        random.int(1000),
        random.pick(['a', 'b', 'c']),
        random.shuffle([1, 2, 3, 4, 5, 6]),
        random.bytes(8).toString('hex'),
      ];
    };
    expect(draws(7)).toEqual(draws(7));
    expect(draws(7)).not.toEqual(draws(8));
  });

  it('samples without repeating', () => {
    const sample = seededRandom(3).sample([...Array(50).keys()], 20);
    expect(new Set(sample).size).toBe(20);
    expect(seededRandom(3).sample([1, 2], 5).sort()).toEqual([1, 2]);
  });

  it('takes RAHAT_SEED, prints it, and refuses nonsense', () => {
    const printed = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    const before = process.env.RAHAT_SEED;
    try {
      process.env.RAHAT_SEED = '42';
      expect(seedFromEnv('flips')).toBe(42);
      expect(printed).toHaveBeenCalledWith('flips: RAHAT_SEED=42\n');
      process.env.RAHAT_SEED = 'x';
      expect(() => seedFromEnv('flips')).toThrow(/RAHAT_SEED/);
    } finally {
      if (before === undefined) delete process.env.RAHAT_SEED;
      else process.env.RAHAT_SEED = before;
      printed.mockRestore();
    }
  });
});
