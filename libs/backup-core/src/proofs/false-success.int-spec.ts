import { seededRandom, seedFromEnv } from '@rahatback/testing';
import { createHash } from 'node:crypto';
import { dumpFailures } from './dump-failures.suite.js';
import { FailingDumps } from './false-success.suite.js';

const SAMPLE = 60;

/** A sample of what `script/prove false-success` runs whole. */
describe('a dump tool that fails', () => {
  let dumps: FailingDumps;
  const seed = seedFromEnv('false-success');
  beforeAll(async () => {
    dumps = await FailingDumps.start();
  }, 240_000);
  afterAll(() => dumps.stop());

  it('is never reported as a success, and one that works is', async () => {
    const random = seededRandom(seed);
    const outcomes = await dumps.runAll(random.sample(dumpFailures(dumps.dump, random, 500), SAMPLE));
    const wrong = outcomes.filter(({ verdict }) => verdict !== 'failed');
    const successes = wrong.filter(({ verdict }) => verdict === 'reported as success').length;
    process.stderr.write(`false-success: ${outcomes.length} of 500 failures, ${successes} reported as success, seed ${seed}\n`);
    expect(wrong.map(({ failure, verdict, detail }) => [failure.name, verdict, detail])).toEqual([]);
    expect(outcomes).toHaveLength(SAMPLE);
    const { file, bytes } = dumps.dump;
    const whole = await dumps.backedUp({ source: { file } });
    expect(whole.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
  }, 240_000);
});
