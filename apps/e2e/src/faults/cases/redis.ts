import { cp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { JobView } from '@rahatback/contracts';
import { provingSuite, startRedis, waitFor } from '@rahatback/testing';
import { mustHold, type FaultCase, type Violation } from '../fault-case.js';
import type { FaultWorld } from '../fault-world.js';
import {
  askMany,
  backupsOf,
  endOf,
  holdDumps,
  isOnline,
  jobsTo,
  jobTo,
  said,
  startBackup,
  type TimedAnswer,
} from '../operations.js';

/** As many as the row of the plan says in the proof, few in the sample of every test run. */
const JOBS_IN_FLIGHT = provingSuite() === undefined ? 8 : 50;
const DOWN_MS = 10_000;
const ALL_LIMIT_MS = 300_000;

/** Nothing lost, nothing doubled: every job has one backup, made in one attempt. */
async function eachOnce(world: FaultWorld, jobs: readonly JobView[], ids: readonly string[]): Promise<Violation[]> {
  const violations: Violation[] = [];
  for (const id of ids) {
    const row = await endOf(world, id, ALL_LIMIT_MS);
    violations.push(...mustHold(row.status === 'success', said(row)));
    violations.push(...mustHold(row.attempts.length === 1, `backup ${id} took ${row.attempts.length} attempts`));
  }
  for (const job of jobs) {
    const rows = await backupsOf(world, job);
    violations.push(...mustHold(rows.length === 1, `job ${job.id} has ${rows.length} backups after one request`));
  }
  return violations;
}

const dataLost: FaultCase = {
  row: 11,
  title: `Redis dies and comes back empty with ${JOBS_IN_FLIGHT} backups in flight`,
  async run(world) {
    const { redis } = world.server;
    const jobs = await jobsTo(world, JOBS_IN_FLIGHT);
    const held = await holdDumps(world);
    try {
      const ids: string[] = [];
      for (const job of jobs) ids.push(await startBackup(world, job));
      await held.waiting();
      await redis.kill();
      await redis.restart({ loseData: true });
      await held.release();
      return await eachOnce(world, jobs, ids);
    } finally {
      await held.release();
    }
  },
};

/** What a replica does that was promoted before it had the last writes: the same server goes on from an older state. */
const olderState: FaultCase = {
  row: 12,
  title: 'Redis fails over to a replica that lacks the last writes',
  async run(world) {
    const { redis } = world.server;
    const files = join(dirname(redis.logPath), 'appendonlydir');
    const kept = join(dirname(redis.logPath), 'appendonlydir-kept');
    const jobs = await jobsTo(world, 6);
    const held = await holdDumps(world);
    try {
      const ids = [await startBackup(world, jobs[0] as JobView)];
      await held.waiting();
      await cp(files, kept, { recursive: true, preserveTimestamps: true });
      for (const job of jobs.slice(1)) ids.push(await startBackup(world, job));
      await redis.kill();
      await rm(files, { recursive: true });
      await cp(kept, files, { recursive: true });
      await rm(kept, { recursive: true });
      await redis.giveFiles(files);
      await redis.restart();
      await held.release();
      return await eachOnce(world, jobs, ids);
    } finally {
      await held.release();
    }
  },
};

function latencies(world: FaultWorld, answers: readonly TimedAnswer[]): readonly Violation[] {
  const sorted = answers.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0;
  world.note(`${answers.length} requests while Redis was away, p99 ${Math.round(p99)} ms`);
  const others = answers.filter(({ status }) => status >= 400 && status !== 503).map(({ status }) => status);
  return [
    ...mustHold(p99 <= 1_000, `p99 was ${Math.round(p99)} ms`),
    ...mustHold(others.length === 0, `answers other than success and 503: ${others.join(', ')}`),
  ];
}

const away: FaultCase = {
  row: 13,
  title: `Redis is away for ${DOWN_MS / 1_000} s while a backup runs and people ask`,
  async run(world) {
    const { redis } = world.server;
    const running = await jobTo(world, 'local');
    const later = await jobsTo(world, 3);
    const held = await holdDumps(world);
    try {
      const id = await startBackup(world, running);
      await held.waiting();
      await redis.kill();
      const start = performance.now();
      await held.release();
      const reads = await askMany(world, 'GET', '/v1/backups/history?limit=20', { untilMs: start + DOWN_MS, everyMs: 100 });
      const runs: TimedAnswer[] = [];
      for (const job of later) runs.push(...(await askMany(world, 'POST', `/v1/backups/jobs/${job.id}/run`, { times: 1 })));
      const online = await isOnline(world);
      const ended = await endOf(world, id);
      await redis.restart();
      const taken = later.filter((_, index) => (runs[index]?.status ?? 500) < 300);
      const ends = await Promise.all(taken.map((job) => firstEnd(world, job)));
      return [
        ...latencies(world, [...reads, ...runs]),
        ...mustHold(online, 'the agent was called offline although its socket stood'),
        ...mustHold(ended.status === 'success', `the running backup: ${said(ended)}`),
        ...ends.flatMap((row) => mustHold(row.status === 'success', `accepted without Redis: ${said(row)}`)),
      ];
    } finally {
      await held.release();
    }
  },
};

async function firstEnd(world: FaultWorld, job: JobView) {
  const [row] = await backupsOf(world, job);
  if (!row) throw new Error(`Job ${job.id} was accepted and has no backup`);
  return endOf(world, row.id);
}

/** An API that is told to use a Redis which drops keys. */
async function refusesToStart(world: FaultWorld): Promise<readonly Violation[]> {
  const [, api] = world.server.apis;
  if (!api) throw new Error('There is no second API');
  const dropping = await startRedis({ settings: { 'maxmemory-policy': 'allkeys-lru' } });
  try {
    await api.stop();
    const before = api.log().length;
    await api.start({ REDIS_URL: dropping.url });
    const end = await waitFor(() => api.outcome(), { describe: 'the API to refuse its start', timeoutMs: 30_000 }).catch(
      () => undefined,
    );
    await api.stop();
    const said = api.log().slice(before);
    return mustHold(end !== undefined && end.code !== 0 && said.includes('BOOT_CHECK_REDIS_POLICY'), 'the API started');
  } finally {
    await dropping.stop();
  }
}

const wrongPolicy: FaultCase = {
  row: 14,
  title: 'Redis drops keys: at the start, and from some moment on',
  async run(world) {
    const atStart = await refusesToStart(world);
    const [worker] = world.server.workers;
    const before = worker?.log().length ?? 0;
    await world.server.redis.configure('maxmemory-policy', 'allkeys-lru');
    try {
      // As after a failover: whoever comes back to Redis looks at once, the others within 30 s.
      world.links.redis.reset();
      await waitFor(() => worker?.log().slice(before).includes('redis.policy'), {
        describe: 'the alarm of the worker',
        timeoutMs: 45_000,
      }).catch(() => undefined);
      return [...atStart, ...mustHold(worker?.log().slice(before).includes('redis.policy') === true, 'no alarm came')];
    } finally {
      await world.server.redis.configure('maxmemory-policy', 'noeviction');
    }
  },
};

const outOfMemory: FaultCase = {
  row: 14,
  title: 'Redis is out of memory and refuses every write',
  async run(world) {
    const jobs = await jobsTo(world, 3);
    await world.server.redis.configure('maxmemory', '1');
    const answers: TimedAnswer[] = [];
    try {
      for (const job of jobs) answers.push(...(await askMany(world, 'POST', `/v1/backups/jobs/${job.id}/run`, { times: 1 })));
    } finally {
      await world.server.redis.configure('maxmemory', '0');
    }
    const taken = jobs.filter((_, index) => (answers[index]?.status ?? 500) < 300);
    const ends = await Promise.all(taken.map((job) => firstEnd(world, job)));
    const odd = answers.filter(({ status }) => status >= 400 && status !== 503);
    return [
      ...mustHold(odd.length === 0, `answers other than success and 503: ${odd.map(({ status }) => status).join(', ')}`),
      ...ends.flatMap((row) => mustHold(row.status === 'success', `accepted with a full Redis: ${said(row)}`)),
    ];
  },
};

export const redisFaults: readonly FaultCase[] = [dataLost, olderState, away, wrongPolicy, outOfMemory];
