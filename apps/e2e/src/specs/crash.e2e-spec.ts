import { seededRandom, seedFromEnv } from '@rahatback/testing';
import { allCrashCases } from '../crash/all-cases.js';
import { openCrashBench, runCrashCase, SETTLE_LIMIT_MS, type CrashBench } from '../crash/run-case.js';
import { startWorld, type World } from '../system/world.js';

const SAMPLE = 20;

describe('kill -9 at crash points, a seeded sample', () => {
  let world: World;
  let bench: CrashBench;

  beforeAll(async () => {
    world = await startWorld();
    bench = await openCrashBench(world);
  }, 120_000);

  afterAll(async () => {
    await world.stop();
  }, 60_000);

  const cases = seededRandom(seedFromEnv('crash')).sample(allCrashCases(), SAMPLE);

  it.each(cases)(
    '$victim dies at $point ($operation)',
    async (crash) => {
      const outcome = await runCrashCase(bench, crash);
      expect(outcome.violations).toEqual([]);
      expect(outcome.settledMs).toBeLessThanOrEqual(SETTLE_LIMIT_MS);
    },
    240_000,
  );
});
