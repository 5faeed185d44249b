import type { AgentView, BackupDetailView, BackupView, JobView, Page, RunAnswer } from '@rahatback/contracts';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '@rahatback/testing';
import { Client } from 'pg';
import type { FaultWorld } from './fault-world.js';

const SETTLE_LIMIT_MS = 90_000;

/** A job whose backups go to the server's own disk, or to the bucket. */
export const jobTo = (world: FaultWorld, storage: 'local' | 's3'): Promise<JobView> =>
  storage === 'local' ? world.makeJob() : world.makeJob({ storageType: 's3', cloudStorageId: world.s3Storage.id });

/** Starts a backup. @returns its id */
export async function startBackup({ person }: FaultWorld, job: JobView): Promise<string> {
  return (await person.call<RunAnswer>('POST', `/v1/backups/jobs/${job.id}/run`)).historyId;
}

export const backupOf = ({ person }: FaultWorld, id: string): Promise<BackupDetailView> =>
  person.call('GET', `/v1/backups/history/${id}`);

/** The row when it has ended. */
export async function endOf(world: FaultWorld, id: string, timeoutMs = SETTLE_LIMIT_MS): Promise<BackupDetailView> {
  return waitFor(
    async () => {
      const row = await backupOf(world, id);
      return row.status === 'running' ? undefined : row;
    },
    { timeoutMs, pollMs: 200, describe: `backup ${id} to end` },
  );
}

/** @throws Error when it does not succeed: what comes after would prove nothing */
export async function goodBackup(world: FaultWorld, job: JobView): Promise<BackupDetailView> {
  const row = await endOf(world, await startBackup(world, job));
  if (row.status === 'success') return row;
  throw new Error(`A backup without a fault ended ${row.status}: ${row.errorCode ?? ''} ${row.errorMessage ?? ''}`);
}

export async function backupsOf({ person }: FaultWorld, job: JobView): Promise<readonly BackupView[]> {
  return (await person.call<Page<BackupView>>('GET', `/v1/backups/history?jobId=${job.id}&limit=100`)).results;
}

/** Whether the server calls the world's agent online. */
export async function isOnline({ person }: FaultWorld): Promise<boolean> {
  const { results } = await person.call<{ results: AgentView[] }>('GET', '/v1/agents?limit=100');
  return results.some(({ deviceName, status }) => deviceName === 'agent-1' && status === 'online');
}

/** How an ended backup is told in a violation. */
export const said = ({ id, status, errorCode, errorMessage }: BackupView): string =>
  `backup ${id} ended ${status} ${errorCode ?? ''} ${errorMessage ?? ''}`.trimEnd();

export interface HeldDumps {
  /** Resolves when so many dumps wait. */
  waiting(count?: number): Promise<void>;
  /** Lets all go on. May run twice. */
  release(): Promise<void>;
}

/** Holds every dump that begins from now on by a lock on one table of the customer's database, until it is released. */
export async function holdDumps({ customer, customerDatabase }: FaultWorld): Promise<HeldDumps> {
  const holder = new Client({ connectionString: customer.url(customerDatabase) });
  await holder.connect();
  await holder.query('BEGIN; LOCK TABLE bos IN ACCESS EXCLUSIVE MODE');
  let isHeld = true;
  const waits = `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LOCK TABLE%' AND wait_event_type = 'Lock'`;
  return {
    async waiting(count = 1) {
      await waitFor(async () => (await customer.query(waits)).length >= count, {
        describe: `${count} dumps to wait for the lock`,
        timeoutMs: 40_000,
      });
    },
    async release() {
      if (isHeld) await holder.end();
      isHeld = false;
    },
  };
}

/** `count` jobs to the server's own disk. */
export async function jobsTo(world: FaultWorld, count: number): Promise<JobView[]> {
  const jobs: JobView[] = [];
  for (let index = 0; index < count; index += 1) jobs.push(await jobTo(world, 'local'));
  return jobs;
}

export interface TimedAnswer {
  /** 0: no answer came. */
  readonly status: number;
  readonly body: unknown;
  readonly tookMs: number;
}

/** The same request again and again, one after the other: `times` (1), or until a moment of performance.now(). */
export async function askMany(
  { person }: FaultWorld,
  method: 'GET' | 'POST',
  path: string,
  pace: { readonly times?: number; readonly untilMs?: number; readonly everyMs?: number },
): Promise<TimedAnswer[]> {
  const answers: TimedAnswer[] = [];
  const isOver = (): boolean =>
    pace.untilMs === undefined ? answers.length >= (pace.times ?? 1) : performance.now() >= pace.untilMs;
  while (!isOver()) {
    const start = performance.now();
    const { status, body } = await person.send(method, path).catch(() => ({ status: 0, body: undefined }));
    answers.push({ status, body, tookMs: performance.now() - start });
    if (pace.everyMs !== undefined) await delay(pace.everyMs);
  }
  return answers;
}
