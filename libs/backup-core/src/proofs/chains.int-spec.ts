import { seededRandom, seedFromEnv } from '@rahatback/testing';
import { ChainDamage, damagesOf } from './chain-damage.suite.js';
import { backupIdOf, ChainOfPoints } from './chain-points.suite.js';
import { stateOf } from './changing-database.suite.js';

const LINKS = 6;
const DAMAGES = 24;

/** A short chain, and a sample of what `script/prove chains` runs whole. */
describe('a chain of some links', () => {
  let chain: ChainOfPoints;
  const seed = seedFromEnv('chains');
  const random = seededRandom(seed);
  beforeAll(async () => {
    chain = await ChainOfPoints.start(random);
    await chain.add('full');
    for (let count = 1; count < LINKS; count += 1) await chain.add(count % 3 === 0 ? 'differential' : 'incremental');
  }, 240_000);
  afterAll(() => chain.stop());

  it('restores, names what is destroyed, and gives back what does not need it', async () => {
    for (const [index, point] of random.sample([...chain.points.entries()], 3)) {
      await chain.harness.restore(backupIdOf(point), `point_${index}`);
      expect(await stateOf(chain.harness, `point_${index}`)).toEqual(point.state);
    }
    const damage = new ChainDamage(chain, random);
    for (const one of random.sample(damagesOf(chain), DAMAGES)) await damage.run(one);
    const { report } = damage;
    process.stderr.write(
      `chains: ${LINKS} links, 3 of them restored equal; ${report.destroyed} objects destroyed, ${report.named} named, ${report.whole} of ${report.independent} independent points still whole, ${report.dependent} dependent refused, seed ${seed}\n`,
    );
    expect(report.wrong).toEqual([]);
    expect(report.dependent).toBeGreaterThan(DAMAGES);
    expect([report.named, report.whole, report.refused]).toEqual([DAMAGES, report.independent, report.dependent]);
    const [lost] = damagesOf(chain);
    expect(lost && (await damage.restoreAround(lost, 'around'))).toMatchObject({ fulls: 1, refused: 1 });
  }, 240_000);
});
