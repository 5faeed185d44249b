import { startNodeProcess, type NodeProcess, type NodeProcessSpec } from '../processes/node-process.js';
import { waitFor } from '../wait-for.js';

/** The variable that the product's crashPoint() reads: `name:n` kills the process the n-th time it comes to that point. */
const FAULT = 'FAULT';

export interface CrashScenario<T> {
  /** Name of the crash point. */
  readonly point: string;
  /** Die the n-th time the point is reached, from 1. Default 1. */
  readonly nth?: number;
  /** The process that is to die. It is restarted from the same spec without the fault. */
  readonly process: NodeProcessSpec;
  /** What brings the process to the point. Its failure after the death is expected, and its failure before fails the scenario. */
  readonly drive: (process: NodeProcess) => Promise<unknown>;
  /** Runs on the restarted process: waits until things have settled, checks, and returns what the test wants to see. */
  readonly settle: (process: NodeProcess) => Promise<T>;
  /** How long the process may take to reach the point. Default 30,000. */
  readonly reachTimeoutMs?: number;
  /** How long children of the dead process may live on after things have settled. Default 5,000. */
  readonly orphanTimeoutMs?: number;
}

export interface CrashOutcome<T> {
  readonly settled: T;
  /** From the start of the second process until `settle` returned. */
  readonly settleMs: number;
}

/** Connections to a dying process break before its end is seen: an error of `drive` counts only when the process lives on. */
async function driveToItsEnd(drive: Promise<unknown>, doomed: NodeProcess): Promise<never> {
  try {
    await drive;
  } catch (error) {
    await waitFor(() => doomed.hasEnded(), { describe: 'the process to die', timeoutMs: 2_000 }).catch(() => {
      throw error;
    });
  }
  return new Promise<never>(() => undefined);
}

async function dieAtPoint<T>(scenario: CrashScenario<T>): Promise<NodeProcess> {
  const fault = `${scenario.point}:${scenario.nth ?? 1}`;
  const { readyLine, readyTimeoutMs = 30_000 } = scenario.process;
  const env = { ...scenario.process.env, [FAULT]: fault };
  // A point may lie in the start itself: there the process dies before it is ready.
  const doomed = await startNodeProcess({ ...scenario.process, env, readyLine: undefined });
  const isReady = async (): Promise<boolean> => doomed.hasEnded() || !readyLine || readyLine.test(await doomed.log());
  try {
    await waitFor(isReady, { describe: 'the process to be ready', timeoutMs: readyTimeoutMs });
    const died = waitFor(() => doomed.hasEnded(), {
      describe: `the process to reach the crash point ${fault}`,
      timeoutMs: scenario.reachTimeoutMs ?? 30_000,
    });
    await Promise.race([died, driveToItsEnd(scenario.drive(doomed), doomed)]);
  } finally {
    await doomed.kill();
  }
  const end = await doomed.ended;
  if (end.signal === 'SIGKILL') return doomed;
  const tail = (await doomed.log()).slice(-2_000);
  throw new Error(`At ${fault} the process ended by itself (code ${end.code}, signal ${end.signal})\n${tail}`);
}

/**
 * Starts the process with a fault, brings it to its crash point, sees it die by SIGKILL, starts it again without the fault, lets it settle, and
 * sees that no child of the dead one lives on. Each call is one scenario; two may run at once when their processes share nothing.
 * @throws Error when the point is not reached, the process dies another way, children stay, or the restarted process does not start
 */
export async function runCrashScenario<T>(scenario: CrashScenario<T>): Promise<CrashOutcome<T>> {
  const dead = await dieAtPoint(scenario);
  const restartedAt = performance.now();
  const back = await startNodeProcess(scenario.process);
  try {
    const settled = await scenario.settle(back);
    const settleMs = performance.now() - restartedAt;
    await dead.assertNoChildLeft(scenario.orphanTimeoutMs);
    return { settled, settleMs };
  } finally {
    await back.stop();
  }
}
