import { seededRandom, seedFromEnv } from '@rahatback/testing';
import { killCases, runKillCase } from './swap-cases.suite.js';
import { SwapWorld } from './swap-world.suite.js';

const KILLS = 12;

/** A sample of `script/prove swap`. */
describe('a swap that is killed', () => {
  let world: SwapWorld;
  beforeAll(async () => {
    world = await SwapWorld.start();
  }, 60_000);
  afterAll(() => world.stop());

  it('leaves the old database or the new one, with all properties, under 50 sessions', async () => {
    const original = (await world.states()).get(world.request().liveDatabase);
    if (!original) throw new Error('There is no live database.');
    world.keepBusy(50);
    let kills = 0;
    for (const kill of killCases(KILLS, seededRandom(seedFromEnv('swap')))) {
      if (kills >= KILLS) break;
      kills += (await runKillCase(world, kill, original)).kills;
    }
    expect(world.violations).toEqual([]);
    expect(kills).toBeGreaterThanOrEqual(KILLS);
    expect(world.transactions).toBeGreaterThan(500);
  }, 180_000);
});
