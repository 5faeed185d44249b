import type { FaultCase, FaultOutcome, Violation } from './fault-case.js';
import { startFaultWorld, type FaultWorld } from './fault-world.js';
import { startInvariants, type InvariantChecker } from './invariants.js';

export interface FaultBench {
  readonly world: FaultWorld;
  readonly invariants: InvariantChecker;
}

export async function openFaultBench(): Promise<FaultBench> {
  const world = await startFaultWorld();
  try {
    return { world, invariants: await startInvariants(world) };
  } catch (error) {
    await world.stop();
    throw error;
  }
}

/** @throws Error when the world did not start: its own error says why */
export function opened(bench: FaultBench | undefined): FaultBench {
  if (!bench) throw new Error('The world of the faults did not start');
  return bench;
}

/**
 * One fault: the case does it and looks at what its row asks for; then the world is healed, everything must end, and I1-I8 must hold.
 * @throws Error when the fault could not be brought about
 */
export async function runFault({ world, invariants }: FaultBench, fault: FaultCase): Promise<FaultOutcome> {
  const { row, title } = fault;
  const notProven = fault.missing?.(world);
  if (notProven !== undefined) {
    process.stdout.write(`NOT PROVEN: row ${row}: ${notProven}\n`);
    return { row, title, seconds: 0, notes: [], notProven, violations: [] };
  }
  const start = performance.now();
  let own: readonly Violation[];
  try {
    own = await fault.run(world);
  } finally {
    await world.heal();
  }
  const violations = [...own, ...(await invariants.check())];
  const seconds = Math.round((performance.now() - start) / 100) / 10;
  return { row, title, seconds, notes: world.takeNotes(), violations };
}
