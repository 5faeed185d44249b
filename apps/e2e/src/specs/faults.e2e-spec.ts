import { seededRandom, seedFromEnv } from '@rahatback/testing';
import { allFaults } from '../faults/all-faults.js';
import { opened, openFaultBench, runFault, type FaultBench } from '../faults/run-fault.js';

const SAMPLE = 4;

describe('faults, a seeded sample: the product holds when', () => {
  let bench: FaultBench | undefined;

  beforeAll(async () => {
    bench = await openFaultBench();
  }, 180_000);

  afterAll(async () => {
    await bench?.world.stop();
  }, 60_000);

  const cases = seededRandom(seedFromEnv('faults')).sample(allFaults(), SAMPLE);

  it.each(cases)(
    'row $row: $title',
    async (fault) => {
      expect((await runFault(opened(bench), fault)).violations).toEqual([]);
    },
    400_000,
  );
});
