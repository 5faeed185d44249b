import { recordProofFact, seededRandom, seedFromEnv } from '@rahatback/testing';
import { ChainDamage, damagesOf } from './chain-damage.suite.js';
import { backupIdOf, ChainOfPoints } from './chain-points.suite.js';
import { stateOf } from './changing-database.suite.js';

const LINKS = 30;
const REAL_RESTORES = 12;

/** It takes some minutes of two idle cores; a busy machine may take much longer. */
const LIMIT_MS = 3_600_000;

/** `script/prove chains` */
describe('a chain of 30 links', () => {
  let chain: ChainOfPoints;
  let restoredEqual = 0;
  const seed = seedFromEnv('chains');
  const random = seededRandom(seed);
  beforeAll(async () => {
    chain = await ChainOfPoints.start(random);
    await chain.add('full');
    for (let count = 1; count < LINKS; count += 1) await chain.add(random.int(3) === 0 ? 'differential' : 'incremental');
  }, LIMIT_MS);
  afterAll(() => chain.stop(), LIMIT_MS);

  it(
    'restores every point to what the database was then',
    async () => {
      for (const [index, point] of chain.points.entries()) {
        const target = `point_${index}`;
        const { tables } = await chain.harness.restore(backupIdOf(point), target);
        expect(tables.every(({ equal }) => equal)).toBe(true);
        expect(await stateOf(chain.harness, target)).toEqual(point.state);
        expect(await chain.dumpSha256(backupIdOf(point))).toBe(point.dumpSha256);
        await chain.harness.query('postgres', `DROP DATABASE ${target}`);
        restoredEqual += 1;
      }
      const kinds = chain.points.flatMap(({ changes }) => changes);
      const typesOf = (type: string): number => chain.points.filter(({ manifest }) => manifest.type === type).length;
      recordProofFact('points', {
        links: chain.points.length,
        restoredEqual,
        incremental: typesOf('incremental'),
        differential: typesOf('differential'),
        changes: Object.fromEntries([...new Set(kinds)].sort().map((kind) => [kind, kinds.filter((one) => one === kind).length])),
        seed,
      });
      // Every state is another one: a point restored in place of another would be seen.
      expect(new Set(chain.points.map(({ state }) => JSON.stringify(state))).size).toBe(LINKS);
      expect(new Set(kinds).size).toBeGreaterThan(8);
    },
    LIMIT_MS,
  );

  it(
    'names every object that is destroyed, and gives back every point that does not need it',
    async () => {
      const damage = new ChainDamage(chain, random);
      const damages = damagesOf(chain);
      for (const [index, one] of damages.entries()) {
        await damage.run(one);
        if (index % 50 === 49) process.stderr.write(`chains: ${index + 1} of ${damages.length} destroyed\n`);
      }
      const { wrong, ...report } = damage.report;
      recordProofFact('destroyed objects', { ...report, wrong: wrong.length });
      process.stdout.write(
        `chains: ${chain.points.length} links, ${restoredEqual} restored equal; ${report.destroyed} objects destroyed, ${report.named} named, ${report.whole} of ${report.independent} independent points still whole; next backup a full in ${report.fullInstead}\n`,
      );
      expect(wrong).toEqual([]);
      // Links that point into no other would prove nothing about chains: then each object would have its own point alone.
      expect(report.dependent).toBeGreaterThan(1.25 * damages.length);
      expect(report).toMatchObject({ destroyed: damages.length, named: damages.length });
      expect([report.whole, report.refused]).toEqual([report.independent, report.dependent]);
      expect(report.fullInstead).toBe(damages.length);
    },
    LIMIT_MS,
  );

  it(
    'goes on with a full in a chain of its own; real restores around the damage',
    async () => {
      const damage = new ChainDamage(chain, random);
      const totals = { damages: 0, fulls: 0, refused: 0, restored: 0 };
      for (const [index, one] of random.sample(damagesOf(chain), REAL_RESTORES).entries()) {
        const { fulls, refused, restored } = await damage.restoreAround(one, `around_${index}`);
        totals.damages += 1;
        totals.fulls += fulls;
        totals.refused += refused;
        totals.restored += restored;
      }
      recordProofFact('real restores around destroyed objects', totals);
      expect(totals).toMatchObject({ damages: REAL_RESTORES, fulls: REAL_RESTORES });
      expect(Math.min(totals.refused, totals.restored)).toBeGreaterThan(0);
    },
    LIMIT_MS,
  );
});
