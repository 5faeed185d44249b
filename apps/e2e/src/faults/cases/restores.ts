import { caseOf } from '../../crash/crash-case.js';
import { runCrashCase } from '../../crash/run-case.js';
import type { FaultCase } from '../fault-case.js';
import { jobTo } from '../operations.js';

/** The crash suite's own cases: the database that was being made is dropped, the live one is compared by the checker of the invariants (I6). */
const killedRestore = (point: string): FaultCase => ({
  row: 5,
  title: `the agent is killed in the middle of a restore, at ${point}`,
  async run(world) {
    const bench = { world, job: await jobTo(world, 'local'), identityPath: world.identityPath };
    const outcome = await runCrashCase(bench, caseOf(point));
    world.note(`${outcome.ended} ${outcome.code ?? ''}, settled after ${outcome.settledMs} ms`);
    return outcome.violations.map((what) => ({ invariant: 'row' as const, what }));
  },
});

export const restoreFaults: readonly FaultCase[] = ['restore.created', 'restore.mid', 'restore.loaded'].map(killedRestore);
