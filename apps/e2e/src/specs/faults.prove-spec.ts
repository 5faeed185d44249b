import { recordProofFact } from '@rahatback/testing';
import { allFaults } from '../faults/all-faults.js';
import type { FaultOutcome } from '../faults/fault-case.js';
import { opened, openFaultBench, runFault, type FaultBench } from '../faults/run-fault.js';

/** Only these rows, while one of them is being written: FAULT_ROWS=20,21. */
const rows = (process.env.FAULT_ROWS ?? '').split(',').filter(Boolean).map(Number);
const cases = allFaults().filter(({ row }) => rows.length === 0 || rows.includes(row));

/** Every row of the table of faults that has a case: `script/prove faults`. */
describe('the product holds when', () => {
  let bench: FaultBench | undefined;
  const outcomes: FaultOutcome[] = [];

  beforeAll(async () => {
    bench = await openFaultBench();
  }, 180_000);

  afterAll(async () => {
    await bench?.world.stop();
    recordProofFact('faults', {
      cases: outcomes.length,
      planned: allFaults().length,
      rows: [...new Set(outcomes.map(({ row }) => row))],
      notProven: outcomes.filter(({ notProven }) => notProven !== undefined).length,
      violations: outcomes.reduce((sum, { violations }) => sum + violations.length, 0),
      outcomes,
    });
  }, 60_000);

  it.each(cases)(
    'row $row: $title',
    async (fault) => {
      const outcome = await runFault(opened(bench), fault);
      outcomes.push(outcome);
      if (rows.length > 0) process.stdout.write(`row ${outcome.row}, ${outcome.seconds} s: ${outcome.notes.join('; ')}\n`);
      expect(outcome.violations).toEqual([]);
    },
    400_000,
  );
});
