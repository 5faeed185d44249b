import { pauseProcess, processFaults, waitFor } from '@rahatback/testing';
import type { ProductProcess } from '../../system/product-process.js';
import { mustHold, type FaultCase, type Violation } from '../fault-case.js';
import type { FaultWorld } from '../fault-world.js';
import { backupOf, endOf, jobsTo, said, startBackup } from '../operations.js';

/** Longer than the lock of a queue's job (15 s) and than the 1 s in which a worker looks at itself. */
const STILL_MS = 18_000;
const JOBS = 6;

function workersOf({ server }: FaultWorld): [ProductProcess, ProductProcess] {
  const [first, second] = server.workers;
  if (!first || !second) throw new Error('The world needs two workers');
  return [first, second];
}

/**
 * One worker has the work alone, stands still in the middle of it, and another one comes: everything must end by the other's hand. When the first goes on,
 * what it still does must change nothing (the row watch sees I2 and I3), and it must say that it stood still.
 */
async function standStill(
  world: FaultWorld,
  still: (worker: ProductProcess) => Promise<() => Promise<void>>,
): Promise<Violation[]> {
  const [first, second] = workersOf(world);
  const jobs = await jobsTo(world, JOBS);
  const heard = world.agent.daemon.log().length;
  await second.stop();
  const cut = world.agent.daemon.log().slice(heard).includes('Disconnected');
  const before = first.log().length;
  const ids = await Promise.all(jobs.map((job) => startBackup(world, job)));
  const start = performance.now();
  const goOn = await still(first);
  const violations: Violation[] = [...mustHold(!cut, 'a worker that ended in good order cut the agent off from its API')];
  try {
    await second.start();
    for (const id of ids) {
      const row = await endOf(world, id);
      violations.push(
        ...mustHold(row.status === 'success' && row.attempts.length === 1, `${said(row)} in ${row.attempts.length} attempts`),
      );
    }
    world.note(`${JOBS} backups ended ${Math.round((performance.now() - start) / 1_000)} s after their worker stood still`);
    await waitFor(() => performance.now() - start > STILL_MS, { describe: 'the lock to be over', timeoutMs: 2 * STILL_MS });
  } finally {
    await goOn();
  }
  const words = (): string => first.log().slice(before);
  await waitFor(() => words().includes('process.stalled'), { describe: 'the alarm', timeoutMs: 15_000 }).catch(() => undefined);
  violations.push(...mustHold(words().includes('process.stalled'), 'the worker did not say that it stood still'));
  for (const id of ids) {
    const row = await backupOf(world, id);
    violations.push(...mustHold(row.status === 'success' && row.attempts.length === 1, `afterwards: ${said(row)}`));
  }
  return violations;
}

const paused: FaultCase = {
  row: 7,
  title: 'a worker is paused for longer than its locks, and goes on',
  run: (world) =>
    standStill(world, async (worker) => {
      const goOn = await pauseProcess(worker.pid);
      return () => Promise.resolve(goOn());
    }),
};

const blocked: FaultCase = {
  row: 8,
  title: 'the event loop of a worker is blocked for longer than its locks',
  async run(world) {
    const [first] = workersOf(world);
    const faults = processFaults(world.folder, 'worker-loop');
    faults.prepare({});
    await first.stop();
    const before = first.log().length;
    await first.start(faults.env);
    try {
      const isReady = (): boolean => first.log().slice(before).includes('The worker is ready');
      await waitFor(isReady, { describe: 'the worker to be ready', timeoutMs: 40_000 });
      return await standStill(world, async () => {
        await faults.set({ blockLoopMs: STILL_MS + 2_000 });
        return () => Promise.resolve();
      });
    } finally {
      await first.stop();
    }
  },
};

export const workerFaults: readonly FaultCase[] = [paused, blocked];
