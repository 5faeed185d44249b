import { waitFor } from '@rahatback/testing';
import { mustHold, type FaultCase, type Violation } from '../fault-case.js';
import type { FaultWorld } from '../fault-world.js';
import { askMany, backupsOf, endOf, holdDumps, jobsTo, jobTo, said, startBackup, type TimedAnswer } from '../operations.js';

const AT_ONCE = 20;

const isGood = ({ status }: TimedAnswer): boolean => status >= 200 && status < 300;
const run = async (world: FaultWorld, jobId: string): Promise<TimedAnswer[]> =>
  askMany(world, 'POST', `/v1/backups/jobs/${jobId}/run`, { times: 1 });

/** Anything but a success or "not now" tells a person nothing. */
const clearAnswers = (answers: readonly TimedAnswer[]): readonly Violation[] => {
  const odd = answers.filter((answer) => !isGood(answer) && answer.status !== 503);
  return mustHold(
    odd.length === 0,
    `answers other than success and 503: ${odd.map(({ status, body }) => `${status} ${JSON.stringify(body)}`).join(', ')}`,
  );
};

const killed: FaultCase = {
  row: 15,
  title: `PostgreSQL is killed while ${AT_ONCE} backups are being started`,
  async run(world) {
    const { postgres } = world.server;
    const jobs = await jobsTo(world, AT_ONCE);
    const asked = jobs.map((job) => run(world, job.id));
    // The first answer is there, the others are under way.
    await Promise.race(asked);
    await postgres.kill();
    const answers = (await Promise.all(asked)).flat();
    await postgres.start();
    await Promise.all(world.server.apis.map((_, index) => world.server.waitReady(index)));
    const violations: Violation[] = [...clearAnswers(answers)];
    let begun = 0;
    for (const [index, job] of jobs.entries()) {
      const rows = await backupsOf(world, job);
      const answer = answers[index];
      begun += rows.length;
      violations.push(...mustHold(rows.length <= 1, `job ${job.id} has ${rows.length} backups after one request`));
      if (answer && isGood(answer))
        violations.push(...mustHold(rows.length === 1, `an accepted backup of job ${job.id} is not there`));
      for (const row of rows) {
        const ended = await endOf(world, row.id, 240_000);
        violations.push(...mustHold(ended.status === 'success', said(ended)));
      }
    }
    world.note(`${answers.filter(isGood).length} of ${AT_ONCE} were accepted, ${begun} rows stand`);
    return violations;
  },
};

/** What a backup that was running may come to: it waits for its server, or fails in words. */
const clean = (row: Parameters<typeof said>[0]): readonly Violation[] =>
  mustHold(row.status === 'success' || (row.status === 'failed' && !!row.errorCode && !!row.errorMessage), said(row));

const readOnly: FaultCase = {
  row: 16,
  title: 'PostgreSQL takes no writes for a while, as after a failover to a standby',
  async run(world) {
    const { postgres } = world.server;
    const setReadOnly = async (isOn: boolean): Promise<void> => {
      await postgres.query(`ALTER SYSTEM SET default_transaction_read_only = ${isOn ? 'on' : 'off'}`);
      await postgres.query('SELECT pg_reload_conf()');
    };
    const [running, other] = await jobsTo(world, 2);
    if (!running || !other) throw new Error('There are no jobs');
    const held = await holdDumps(world);
    try {
      const id = await startBackup(world, running);
      await held.waiting();
      await setReadOnly(true);
      const [refused] = await waitFor(
        async () => {
          const answers = await run(world, other.id);
          return answers.some(isGood) ? undefined : answers;
        },
        { describe: 'PostgreSQL to have become read-only', timeoutMs: 5_000 },
      );
      await held.release();
      const reads = await askMany(world, 'GET', '/v1/backups/history?limit=5', { times: 20, everyMs: 100 });
      await setReadOnly(false);
      const ended = await endOf(world, id);
      return [
        ...clearAnswers([...(refused ? [refused] : []), ...reads]),
        ...mustHold(reads.every(isGood), 'reading was refused too'),
        ...clean(ended),
      ];
    } finally {
      await setReadOnly(false);
      await held.release();
    }
  },
};

/** Until PostgreSQL itself says that it has no room, or falls over for want of it. @returns its words */
async function exhaust(world: FaultWorld): Promise<string> {
  const { postgres, databaseName } = world.server;
  try {
    for (;;) {
      await postgres.query(`CREATE TABLE IF NOT EXISTS fault_watch.room (t text)`, { database: databaseName });
      await postgres.query(`INSERT INTO fault_watch.room SELECT repeat('x', 1000) FROM generate_series(1, 1000)`, {
        database: databaseName,
      });
    }
  } catch (error) {
    return String((error as Error).message);
  }
}

const full: FaultCase = {
  row: 16,
  title: 'the disk of PostgreSQL is full while a backup runs and others are asked for',
  missing: (world) => (world.postgresDisk ? undefined : 'no small disk could be mounted under PostgreSQL'),
  async run(world) {
    const { postgres, databaseName } = world.server;
    const running = await jobTo(world, 'local');
    const others = await jobsTo(world, 5);
    const held = await holdDumps(world);
    try {
      const id = await startBackup(world, running);
      await held.waiting();
      world.postgresDisk?.fill();
      const words = await exhaust(world);
      world.postgresDisk?.fill();
      const answers: TimedAnswer[] = [];
      for (const job of others) answers.push(...(await run(world, job.id)));
      await held.release();
      await askMany(world, 'GET', '/v1/backups/history?limit=5', { times: 10, everyMs: 100 });
      world.postgresDisk?.free();
      await postgres.start();
      await waitFor(() => postgres.query('DROP TABLE IF EXISTS fault_watch.room', { database: databaseName }), {
        describe: 'PostgreSQL to work again',
        timeoutMs: 30_000,
      });
      const ended = await endOf(world, id);
      world.note(
        `PostgreSQL: "${words}"; ${answers.filter(isGood).length} of ${answers.length} accepted; the running one ended ${ended.status}`,
      );
      return [...clearAnswers(answers), ...clean(ended)];
    } finally {
      await held.release();
    }
  },
};

export const postgresFaults: readonly FaultCase[] = [killed, readOnly, full];
