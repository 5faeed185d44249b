import { recordProofFact, seededRandom, seedFromEnv } from '@rahatback/testing';
import { killCases, runKillCase } from './swap-cases.suite.js';
import { SwapWorld } from './swap-world.suite.js';

const KILLS = 200;
const SESSIONS = 50;

/** `script/prove swap`. */
describe('a swap that is killed', () => {
  let world: SwapWorld;
  beforeAll(async () => {
    world = await SwapWorld.start();
  }, 60_000);
  afterAll(() => world.stop());

  it(
    'leaves the old database or the new one, 200 times under 50 sessions',
    async () => {
      const original = (await world.states()).get(world.request().liveDatabase);
      if (!original) throw new Error('There is no live database.');
      world.keepBusy(SESSIONS);
      const random = seededRandom(seedFromEnv('swap'));
      const rerunMs: number[] = [];
      let kills = 0;
      // A process that ended before its kill is no kill: some cases more make up for it.
      for (const kill of killCases(KILLS, random)) {
        if (kills >= KILLS) break;
        const outcome = await runKillCase(world, kill, original);
        kills += outcome.kills;
        rerunMs.push(...outcome.rerunMs);
      }
      expect(world.violations).toEqual([]);
      expect(kills).toBeGreaterThanOrEqual(KILLS);
      const { transactions, reconnects } = world;
      expect(transactions).toBeGreaterThan(KILLS * SESSIONS);
      const slowestRerunMs = Math.round(Math.max(...rerunMs));
      recordProofFact('swap', {
        seed: random.seed,
        kills,
        sessions: SESSIONS,
        inBetween: 0,
        transactions,
        reconnects,
        slowestRerunMs,
      });
      process.stderr.write(`swap: ${kills} kills under ${SESSIONS} sessions, 0 in between\n`);
    },
    20 * 60_000,
  );
});
