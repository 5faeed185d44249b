import { setTimeout as delay } from 'node:timers/promises';
import type { BackupDetailView, JobView, RunAnswer } from '@rahatback/contracts';
import { pauseProcess, provingSuite, seededRandom, seedFromEnv, waitFor, type SeededRandom } from '@rahatback/testing';
import { waitOnline } from '../../system/agent-side.js';
import type { RestAnswer } from '../../system/rest-client.js';
import { mustHold, type FaultCase, type Violation } from '../fault-case.js';
import { LEASE_MS, type FaultWorld } from '../fault-world.js';
import { backupOf, backupsOf, endOf, goodBackup, holdDumps, jobsTo, jobTo, said, startBackup } from '../operations.js';
import { specCase } from '../spec-case.js';

const isProof = provingSuite() !== undefined;
const CANCEL_RUNS = isProof ? 200 : 12;
const LANES = 4;
/** A small backup takes about so long on a machine at rest. */
const FIRST_WINDOW_MS = 1_600;
const LONGEST_WINDOW_MS = 20_000;
const CANCELLED_WITHIN_MS = 10_000;
const LOCK_ROUNDS = isProof ? 20 : 3;
const CONTENDERS = 50;

/** The same request through one of the two API processes. */
async function postTo({ server, person }: FaultWorld, api: number, path: string): Promise<RestAnswer> {
  const response = await fetch(`${server.urls[api % server.urls.length] ?? server.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${person.token}` },
  });
  return { status: response.status, body: await response.json() };
}

interface CancelRun {
  readonly ended: string;
  readonly tookMs: number;
  readonly violations: readonly Violation[];
}

function judge(ended: BackupDetailView, answers: readonly number[], tookMs: number): Violation[] {
  const granted = answers.filter((status) => status === 200).length;
  const strange = answers.filter((status) => status !== 200 && status !== 409);
  const winners = ended.attempts.filter(({ state }) => state === 'success').length;
  return [
    ...mustHold(strange.length === 0, `a cancel was answered ${strange.join(', ')}`),
    ...mustHold(['cancelled', 'success'].includes(ended.status), said(ended)),
    ...mustHold((ended.status === 'cancelled') === granted > 0, `${said(ended)} though ${granted} of 2 cancels were granted`),
    ...mustHold(winners === (ended.status === 'success' ? 1 : 0), `${winners} attempts won: ${said(ended)}`),
    ...mustHold(ended.status !== 'cancelled' || tookMs <= CANCELLED_WITHIN_MS, `cancelled only after ${tookMs} ms`),
  ];
}

/** Two people cancel through two processes, at some moment of the backup. */
async function cancelTwice(world: FaultWorld, job: JobView, waitMs: number): Promise<CancelRun> {
  const id = await startBackup(world, job);
  await delay(waitMs);
  const start = performance.now();
  const answers = await Promise.all([0, 1].map((api) => postTo(world, api, `/v1/backups/history/${id}/cancel`)));
  const ended = await endOf(world, id);
  const tookMs = Math.round(performance.now() - start);
  await waitFor(async () => (await backupOf(world, id)).attempts.every(({ state }) => state !== 'running'), {
    describe: 'its attempts to end',
    timeoutMs: CANCELLED_WITHIN_MS,
  });
  const statuses = answers.map(({ status }) => status);
  return { ended: ended.status, tookMs, violations: judge(ended, statuses, tookMs) };
}

/** The window of moments grows while cancels come in time and shrinks when one was too late: so the end of the backup is met at any speed. */
async function lane(world: FaultWorld, job: JobView, random: SeededRandom, runs: number): Promise<CancelRun[]> {
  const done: CancelRun[] = [];
  let windowMs = FIRST_WINDOW_MS;
  while (done.length < runs) {
    const run = await cancelTwice(world, job, random.int(Math.round(windowMs)));
    windowMs = run.ended === 'cancelled' ? Math.min(windowMs * 1.1, LONGEST_WINDOW_MS) : windowMs * 0.8;
    done.push(run);
  }
  return done;
}

const cancelRace: FaultCase = {
  row: 53,
  title: `two cancels and the end of a backup race, ${CANCEL_RUNS} times at random moments`,
  async run(world) {
    const random = seededRandom(seedFromEnv('row 53'));
    const jobs = await jobsTo(world, LANES);
    const runs = (await Promise.all(jobs.map((job) => lane(world, job, random, CANCEL_RUNS / LANES)))).flat();
    const cancelled = runs.filter(({ ended }) => ended === 'cancelled');
    const slowest = Math.max(0, ...cancelled.map(({ tookMs }) => tookMs));
    world.note(`${cancelled.length} cancelled, ${runs.length - cancelled.length} too late; slowest cancel ${slowest} ms`);
    return runs.flatMap(({ violations }) => violations);
  },
};

/** Sequence numbers of all commands that wait: turned round, with gaps of a hundred. They are signed when they are sent. */
async function turnRound(world: FaultWorld): Promise<number> {
  const rows = await world.server.postgres.query(
    `WITH waiting AS (SELECT id, row_number() OVER (ORDER BY sequence DESC) AS place FROM commands WHERE state = 'queued'),
          top AS (SELECT max(sequence) AS sequence FROM commands)
     UPDATE commands SET sequence = top.sequence + 100 * waiting.place FROM waiting, top WHERE commands.id = waiting.id RETURNING 1`,
    { database: world.server.databaseName },
  );
  return rows.length;
}

const reordered: FaultCase = {
  row: 55,
  title: 'commands reach the agent in turned order and with gaps in their sequence',
  async run(world) {
    const jobs = await jobsTo(world, 6);
    const resumes = await Promise.all(world.server.workers.map(({ pid }) => pauseProcess(pid)));
    let ids: string[] = [];
    let turned = 0;
    try {
      ids = await Promise.all(jobs.map((job) => startBackup(world, job)));
      turned = await turnRound(world);
    } finally {
      for (const resume of resumes) resume();
    }
    world.note(`${turned} of ${ids.length} commands turned round`);
    const violations: Violation[] = [...mustHold(turned >= 4, `only ${turned} commands were still waiting`)];
    for (const id of ids) {
      const ended = await endOf(world, id);
      violations.push(...mustHold(ended.status === 'success' && ended.attempts.length === 1, said(ended)));
    }
    // Numbers far behind those gaps are good again: a gap is never by itself a refusal.
    for (const job of jobs.slice(0, 2))
      violations.push(...mustHold((await goodBackup(world, job)).status === 'success', 'no backup'));
    for (const job of jobs) {
      const fences = (await backupsOf(world, job)).length;
      violations.push(...mustHold(fences <= 2, `job ${job.id} has ${fences} backups`));
    }
    return violations;
  },
};

/** Everybody asks at once, half of them through each API process, and the winner does not end before all are answered. */
async function rush(world: FaultWorld, job: JobView): Promise<{ granted: RunAnswer[]; others: number[] }> {
  const held = await holdDumps(world);
  try {
    const asked = Array.from({ length: CONTENDERS }, (_, n) => postTo(world, n, `/v1/backups/jobs/${job.id}/run`));
    const answers = await Promise.all(asked);
    const granted = answers.filter(({ status }) => status < 300).map(({ body }) => body as RunAnswer);
    return { granted, others: answers.map(({ status }) => status).filter((status) => status >= 300 && status !== 409) };
  } finally {
    await held.release();
  }
}

const lockRace: FaultCase = {
  row: 58,
  title: `${CONTENDERS} requests at once race for the lock of one job through two processes, ${LOCK_ROUNDS} times`,
  async run(world) {
    const job = await jobTo(world, 'local');
    const violations: Violation[] = [];
    let last = 0;
    for (let round = 0; round < LOCK_ROUNDS; round += 1) {
      const { granted, others } = await rush(world, job);
      violations.push(...mustHold(granted.length === 1, `round ${round}: ${granted.length} of ${CONTENDERS} had the lock`));
      violations.push(...mustHold(others.length === 0, `round ${round}: losers were answered ${others.join(', ')}`));
      for (const { historyId } of granted) {
        const ended = await endOf(world, historyId);
        const fence = ended.attempts[0]?.fence ?? 0;
        violations.push(...mustHold(fence > last, `the fence went from ${last} to ${fence}`, 'I3'));
        violations.push(...mustHold(ended.status === 'success', said(ended)));
        last = fence;
      }
    }
    world.note(`${LOCK_ROUNDS * CONTENDERS} requests, ${LOCK_ROUNDS} winners, last fence ${last}`);
    return violations;
  },
};

const holderDies: FaultCase = {
  row: 59,
  title: 'the agent that holds a lease dies in the middle of its dump and stays away',
  async run(world) {
    const job = await jobTo(world, 's3');
    const held = await holdDumps(world);
    try {
      const id = await startBackup(world, job);
      await held.waiting();
      await world.agent.daemon.kill();
      const start = performance.now();
      const ended = await endOf(world, id, LEASE_MS + 60_000);
      const tookMs = Math.round(performance.now() - start);
      await held.release();
      await world.agent.daemon.start();
      await waitOnline(world.person, 'agent-1');
      const next = await goodBackup(world, job);
      const [before, after] = [ended.attempts[0]?.fence ?? 0, next.attempts[0]?.fence ?? 0];
      world.note(`lease of ${LEASE_MS} ms: free again after ${tookMs} ms; fence ${before}, then ${after}`);
      return [
        ...mustHold(ended.status === 'failed' && ended.errorCode === 'LEASE_EXPIRED', said(ended)),
        ...mustHold(tookMs <= LEASE_MS + 10_000, `the lease was free only after ${tookMs} ms`),
        ...mustHold(after > before, `the fence went from ${before} to ${after}`, 'I3'),
      ];
    } finally {
      await held.release();
    }
  },
};

const leaseRows = specCase({
  row: 58,
  title: 'fifty transactions at once race for one lease, round after round',
  file: 'apps/api/src/modules/agents/lease.int-spec.ts',
  name: 'have one holder among fifty',
});

export const raceFaults: readonly FaultCase[] = [cancelRace, reordered, lockRace, leaseRows, holderDies];
