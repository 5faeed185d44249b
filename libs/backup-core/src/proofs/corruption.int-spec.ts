import { seededRandom, seedFromEnv } from '@rahatback/testing';
import { StoredBackup } from './corruption.suite.js';

/** A small backup, and samples of what `script/prove corruption` runs whole. */
describe('a stored backup', () => {
  let backup: StoredBackup;
  const seed = seedFromEnv('corruption');
  const random = seededRandom(seed);
  beforeAll(async () => {
    backup = await StoredBackup.start(40, 16);
  }, 240_000);
  afterAll(() => backup.stop());

  it('gives away every change', async () => {
    expect(await backup.decrypt({})).toEqual({ ended: true, error: null, sha256: backup.dumpSha256 });
    const tallies = [
      await backup.flipVolumes(2_000, random),
      await backup.flipEdges(500, random),
      ...Object.values(await backup.flipSmallObjects(random, 1_000)),
      await backup.rearrange(),
      await backup.decryptAltered(12, random),
    ];
    const sum = (count: 'tried' | 'named' | 'harmless'): number => tallies.reduce((total, tally) => total + tally[count], 0);
    const figures = `${sum('tried')} changes, ${sum('named')} detected and named, ${sum('harmless')} without effect`;
    process.stderr.write(`corruption: ${figures}, seed ${seed}\n`);
    expect(tallies.flatMap(({ missed }) => missed)).toEqual([]);
    expect(sum('named') + sum('harmless')).toBe(sum('tried'));
    expect(sum('named')).toBeGreaterThan(5_000);
  }, 240_000);
});
