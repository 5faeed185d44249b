import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupDetailView, BackupView, JobView, Page, RestoreAnswer, RestoreView, RunAnswer } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import { Client } from 'pg';
import type { ProductProcess } from '../system/product-process.js';
import type { World } from '../system/world.js';
import { waitOnline } from '../system/agent-side.js';
import type { CrashCase, CrashOutcome } from './crash-case.js';
import { storedFiles, violationsOf } from './invariants.js';
import {
  startSwap,
  startUndo,
  startVerification,
  swapEnd,
  swapSettled,
  verificationEnd,
  verificationRows,
} from './proof-cases.js';

interface End {
  readonly ended: string;
  readonly code: string | null;
  readonly violations: string[];
}

/** The promise: settled at most 60 s after the process is back. */
export const SETTLE_LIMIT_MS = 60_000;
const REACH_LIMIT_MS = 40_000;

export interface CrashBench {
  readonly world: World;
  readonly job: JobView;
  readonly identityPath: string;
}

export async function openCrashBench(world: World): Promise<CrashBench> {
  const identityPath = join(world.server.home, 'identity.txt');
  await writeFile(identityPath, `${world.recovery.identity}\n`, { mode: 0o600 });
  await world.agent.mustRun(['policy', 'allow-restore-over-live']);
  return { world, job: await world.makeJob(), identityPath };
}

const running = (row: { status: string }): boolean => row.status === 'running';

async function rowsOf(bench: CrashBench): Promise<readonly BackupView[]> {
  const page = await bench.world.person.call<Page<BackupView>>('GET', `/v1/backups/history?jobId=${bench.job.id}&limit=100`);
  return page.results;
}

const detail = (bench: CrashBench, id: string): Promise<BackupDetailView> =>
  bench.world.person.call('GET', `/v1/backups/history/${id}`);

/** The victim may be the very process that answers: a cut connection is part of the play. */
async function ignoringCuts<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    // By name: Jest runs this in a realm of its own, and fetch throws the outer one's TypeError.
    if ((error as { name?: unknown }).name === 'TypeError') return undefined;
    throw error;
  }
}

async function settled<T extends { status: string }>(read: () => Promise<T>, what: string): Promise<T> {
  return waitFor(
    async () => {
      const row = await read();
      return running(row) ? undefined : row;
    },
    { timeoutMs: SETTLE_LIMIT_MS + 5_000, pollMs: 200, describe: `${what} to end` },
  );
}

async function goodBackup(bench: CrashBench): Promise<BackupDetailView> {
  const { person } = bench.world;
  const run = await person.call<RunAnswer>('POST', `/v1/backups/jobs/${bench.job.id}/run`);
  const row = await settled(() => detail(bench, run.historyId), 'a good backup');
  if (row.status !== 'success')
    throw new Error(`The backup before the crash ended ${row.status}: ${row.errorCode ?? ''} ${row.errorMessage ?? ''}`);
  return row;
}

function processOf(world: World, victim: CrashCase['victim']): ProductProcess {
  const [api] = world.server.apis;
  const [worker] = world.server.workers;
  if (victim === 'agent') return world.agent.daemon;
  const found = victim === 'api' ? api : worker;
  if (!found) throw new Error(`There is no ${victim} process`);
  return found;
}

async function isUp(world: World, victim: CrashCase['victim']): Promise<void> {
  if (victim === 'api') await world.server.waitReady();
  await waitOnline(world.person, 'agent-1');
}

async function restartWith(world: World, crash: CrashCase, env: Readonly<Record<string, string>>): Promise<void> {
  const target = processOf(world, crash.victim);
  await target.stop();
  await target.start(env);
  await isUp(world, crash.victim);
}

/** For an undo the swap has come before the kill: only the undo itself is under way. */
const PROOFS: Partial<Record<CrashCase['operation'], (world: World, backupId: string) => Promise<unknown>>> = {
  verify: startVerification,
  swap: startSwap,
  undo: async (world) => startUndo(world, (await newestRestore(world)).id),
};

async function newestRestore({ person }: World): Promise<RestoreView> {
  const [newest] = (await person.call<Page<RestoreView>>('GET', '/v1/restores?limit=1')).results;
  if (!newest) throw new Error('There is no restore to undo');
  return newest;
}

/** The agent dies in the middle of a dump, which a lock holds up: else the backup may be done before, or its command not even there. */
async function loseAgent({ world, job }: CrashBench): Promise<void> {
  const holder = new Client({ connectionString: world.customer.url(world.customerDatabase) });
  await holder.connect();
  try {
    await holder.query('BEGIN; LOCK TABLE bos IN ACCESS EXCLUSIVE MODE');
    await ignoringCuts(() => world.person.call<RunAnswer>('POST', `/v1/backups/jobs/${job.id}/run`));
    const waits = `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LOCK TABLE%' AND wait_event_type = 'Lock'`;
    await waitFor(async () => (await world.customer.query(waits)).length > 0, { describe: 'the dump to wait for the lock' });
    await world.agent.daemon.kill();
  } finally {
    await holder.end();
  }
}

/** Starts what the victim shall die of. Returns the row to watch, when the answer came through. */
async function act(bench: CrashBench, crash: CrashCase, before: BackupDetailView | undefined): Promise<void> {
  const { person } = bench.world;
  if (crash.operation === 'restore')
    return void (await ignoringCuts(() =>
      person.call<RestoreAnswer>('POST', `/v1/backups/history/${before?.id ?? ''}/restore`, {}),
    ));
  if (crash.operation === 'delete')
    return void (await ignoringCuts(() => person.call('DELETE', `/v1/backups/history/${before?.id ?? ''}`)));
  const proof = PROOFS[crash.operation];
  if (proof) return void (await ignoringCuts(() => proof(bench.world, before?.id ?? '')));
  if (crash.operation === 'lose-agent') return loseAgent(bench);
  const run = await ignoringCuts(() => person.call<RunAnswer>('POST', `/v1/backups/jobs/${bench.job.id}/run`));
  if (crash.operation !== 'cancel' || !run) return;
  await ignoringCuts(() => person.send('POST', `/v1/backups/history/${run.historyId}/cancel`));
}

async function restoreRows(bench: CrashBench): Promise<readonly RestoreView[]> {
  return (await bench.world.person.call<Page<RestoreView>>('GET', '/v1/restores?limit=100')).results;
}

interface Before {
  /** The good backup that a restore or deletion is about. */
  readonly backup: BackupDetailView | undefined;
  /** Rows that were there already. */
  readonly known: ReadonlySet<string>;
}

/** Every point of a process lies behind the commit of the row. Only without Redis may a request be refused before it. */
const nothingStarted = (crash: CrashCase): End => ({
  ended: 'nothing was started',
  code: null,
  violations: crash.victim === 'redis' ? [] : ['the request left no row'],
});

async function endsOf(bench: CrashBench, crash: CrashCase, { backup, known }: Before): Promise<End> {
  if (crash.operation === 'restore') return restoreEnd(bench, crash, known);
  if (crash.operation === 'delete') return deleteEnd(bench, backup);
  if (PROOFS[crash.operation]) return proofEnd(bench, crash, known);
  const fresh = (await rowsOf(bench)).filter((row) => !known.has(row.id));
  const [row] = fresh;
  if (!row) return nothingStarted(crash);
  const ended = await settled(() => detail(bench, row.id), `backup ${row.id}`);
  const twice = fresh.length > 1 ? [`${fresh.length} rows for one request`] : [];
  return {
    ended: ended.status,
    code: ended.errorCode,
    violations: [...twice, ...(await violationsOf(bench.world, ended, bench.identityPath))],
  };
}

async function restoreEnd(bench: CrashBench, crash: CrashCase, known: ReadonlySet<string>): Promise<End> {
  const [row] = (await restoreRows(bench)).filter((candidate) => !known.has(candidate.id));
  if (!row) return nothingStarted(crash);
  const ended = await settled(() => bench.world.person.call<RestoreView>('GET', `/v1/restores/${row.id}`), `restore ${row.id}`);
  const violations: string[] = [];
  if (ended.status === 'success' && ended.tablesEqual !== ended.tablesTotal) violations.push('success with unequal tables');
  if (ended.status === 'failed' && !ended.errorMessage) violations.push('failed without a reason');
  const allowed = new Set(['postgres', 'template0', 'template1', bench.world.customerDatabase]);
  const successful = (await restoreRows(bench))
    .filter((restore) => restore.status === 'success')
    .map((restore) => restore.targetDatabase);
  for (const name of successful) allowed.add(name);
  let strays: unknown[] = [];
  await waitFor(
    async () => {
      strays = (await bench.world.customer.query('SELECT datname FROM pg_database'))
        .map(([name]) => name)
        .filter((name) => !allowed.has(String(name)));
      return strays.length === 0;
    },
    { timeoutMs: 20_000, describe: 'half-restored databases to be dropped' },
  ).catch(() => violations.push(`left on the server: ${strays.join(', ')}`));
  return { ended: ended.status, code: ended.errorCode, violations };
}

async function proofEnd({ world }: CrashBench, crash: CrashCase, known: ReadonlySet<string>): Promise<End> {
  const limitMs = SETTLE_LIMIT_MS + 5_000;
  if (crash.operation === 'undo') return swapEnd(world, (await newestRestore(world)).id, limitMs);
  const rows = crash.operation === 'verify' ? await verificationRows(world) : [await newestRestore(world)];
  const row = rows.find(({ id }) => !known.has(id));
  if (!row) return nothingStarted(crash);
  return crash.operation === 'verify' ? verificationEnd(world, row.id, limitMs) : swapEnd(world, row.id, limitMs);
}

async function deleteEnd(bench: CrashBench, deleted: BackupDetailView | undefined): Promise<End> {
  const isGone = async (): Promise<boolean> => (await rowsOf(bench)).every((row) => row.id !== deleted?.id);
  try {
    await waitFor(isGone, { timeoutMs: SETTLE_LIMIT_MS, describe: 'the deleted backup to be gone' });
  } catch {
    return { ended: 'still there', code: null, violations: ['the backup was not deleted'] };
  }
  const files = (await storedFiles(bench.world)).filter((file) => file.includes(deleted?.id ?? ''));
  return { ended: 'deleted', code: null, violations: files.length > 0 ? [`deleted, but in storage: ${files.join(', ')}`] : [] };
}

async function killRedis(bench: CrashBench, crash: CrashCase, before: BackupDetailView | undefined): Promise<number> {
  const { world } = bench;
  if (crash.point === 'redis.before_run') await world.server.redis.kill();
  const acting = act(bench, crash, before);
  if (crash.point === 'redis.before_run') await acting.catch(() => undefined);
  else {
    await acting;
    if (crash.point.includes('mid')) await reachedStep(bench, crash);
    await world.server.redis.kill();
  }
  await world.server.redis.restart({ loseData: crash.nth === 2 });
  return performance.now();
}

async function reachedStep(bench: CrashBench, crash: CrashCase): Promise<void> {
  const rows = async (): Promise<readonly { status: string; progress: unknown }[]> =>
    crash.operation === 'restore' ? restoreRows(bench) : rowsOf(bench);
  await waitFor(async () => (await rows()).some((row) => !running(row) || row.progress !== null), {
    timeoutMs: REACH_LIMIT_MS,
    pollMs: 10,
    describe: 'work to be under way',
  });
}

async function killAtPoint(bench: CrashBench, crash: CrashCase, before: BackupDetailView | undefined): Promise<number> {
  const { world } = bench;
  const target = processOf(world, crash.victim);
  await restartWith(world, crash, { FAULT: `${crash.point}:${crash.nth}` });
  await act(bench, crash, before);
  await waitFor(() => !target.isRunning(), { timeoutMs: REACH_LIMIT_MS, describe: `${target.name} to reach ${crash.point}` });
  const signal = target.outcome()?.signal;
  if (signal !== 'SIGKILL')
    throw new Error(`${target.name} ended with ${signal ?? target.outcome()?.code ?? '?'} instead of SIGKILL at ${crash.point}`);
  await target.start();
  const back = performance.now();
  await world.agent.daemon.start();
  await isUp(world, crash.victim);
  return back;
}

/** After a case that went wrong: everything runs again, and nothing is armed. */
async function heal(world: World, crash: CrashCase): Promise<void> {
  await world.agent.daemon.start();
  if (crash.victim === 'redis') await world.server.redis.restart();
  else await restartWith(world, crash, {});
}

const NEEDS_BACKUP: readonly CrashCase['operation'][] = ['restore', 'delete', 'verify', 'swap', 'undo'];

async function swapFirst({ world }: CrashBench, backup: BackupDetailView | undefined): Promise<void> {
  const { restoreHistoryId } = await startSwap(world, backup?.id ?? '');
  const { swapState, errorMessage } = await swapSettled(world, restoreHistoryId, SETTLE_LIMIT_MS);
  if (swapState !== 'swapped') throw new Error(`The swap before the crash ended ${swapState ?? '?'}: ${errorMessage ?? ''}`);
}

/**
 * One crash: the process is armed, dies, comes back; then the row must end within 60 s and the invariants must hold.
 * @throws Error when the point was never reached: a point that cannot be hit is a defect of the suite
 */
export async function runCrashCase(bench: CrashBench, crash: CrashCase): Promise<CrashOutcome> {
  const before = NEEDS_BACKUP.includes(crash.operation) ? await goodBackup(bench) : undefined;
  if (crash.operation === 'undo') await swapFirst(bench, before);
  const lists = [await rowsOf(bench), await restoreRows(bench), await verificationRows(bench.world)];
  const known = new Set(lists.flatMap((rows) => rows.map(({ id }) => id)));
  const kill = crash.victim === 'redis' ? killRedis : killAtPoint;
  const back = await kill(bench, crash, before).catch(async (error: unknown) => {
    // What went wrong first is what must be seen.
    await heal(bench.world, crash).catch(() => undefined);
    throw error;
  });
  const { ended, code, violations } = await endsOf(bench, crash, { backup: before, known });
  const settledMs = Math.round(performance.now() - back);
  const late = settledMs > SETTLE_LIMIT_MS ? [`took ${settledMs} ms to settle`] : [];
  return { ...crash, ended, code, settledMs, violations: [...violations, ...late] };
}
