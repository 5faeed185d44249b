import { recordProofFact } from '@rahatback/testing';
import { allCrashCases } from '../crash/all-cases.js';
import type { CrashOutcome } from '../crash/crash-case.js';
import { openCrashBench, runCrashCase, SETTLE_LIMIT_MS, type CrashBench } from '../crash/run-case.js';
import { startWorld, type World } from '../system/world.js';

/** Every named crash point, and Redis at each of its moments, once each: `script/prove crash`. */
describe('kill -9 at every crash point', () => {
  let world: World;
  let bench: CrashBench;
  const outcomes: CrashOutcome[] = [];

  beforeAll(async () => {
    world = await startWorld();
    bench = await openCrashBench(world);
  }, 120_000);

  afterAll(async () => {
    await world.stop();
    const violations = outcomes.reduce((sum, outcome) => sum + outcome.violations.length, 0);
    const slowestMs = Math.max(...outcomes.map(({ settledMs }) => settledMs));
    recordProofFact('kill -9', {
      cases: outcomes.length,
      planned: allCrashCases().length,
      violations,
      slowestMs,
      limitMs: SETTLE_LIMIT_MS,
      outcomes,
    });
  }, 60_000);

  it.each(allCrashCases())(
    '$victim dies at $point ($operation, $nth)',
    async (crash) => {
      const outcome = await runCrashCase(bench, crash);
      outcomes.push(outcome);
      expect(outcome.violations).toEqual([]);
    },
    240_000,
  );
});
