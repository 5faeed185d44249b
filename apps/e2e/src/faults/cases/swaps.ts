import type { RestoreAnswer, RestoreView } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import { Client } from 'pg';
import { caseOf } from '../../crash/crash-case.js';
import { startSwap, swapEnd } from '../../crash/proof-cases.js';
import { runCrashCase } from '../../crash/run-case.js';
import type { RestAnswer } from '../../system/rest-client.js';
import { mustHold, type FaultCase, type Violation } from '../fault-case.js';
import type { FaultWorld } from '../fault-world.js';
import { goodBackup, jobTo } from '../operations.js';

const END_LIMIT_MS = 90_000;
const SESSIONS = 20;
const DRAIN_LIMIT_MS = 30_000;

const said = ({ status, errorCode, errorMessage }: RestoreView): string =>
  `the restore ended ${status} ${errorCode ?? ''} ${errorMessage ?? ''}`.trimEnd();

const askRestore = ({ person }: FaultWorld, backupId: string, body: object): Promise<RestAnswer> =>
  person.send('POST', `/v1/backups/history/${backupId}/restore`, body);

const restoreEnd = ({ person }: FaultWorld, id: string): Promise<RestoreView> =>
  waitFor(
    async () => {
      const row = await person.call<RestoreView>('GET', `/v1/restores/${id}`);
      return row.status === 'running' ? undefined : row;
    },
    { timeoutMs: END_LIMIT_MS, pollMs: 200, describe: `restore ${id} to end` },
  );

/** Refused when it is asked for, or by the agent before it writes. */
async function refusedWith(world: FaultWorld, answer: RestAnswer, codes: readonly string[]): Promise<Violation[]> {
  if (answer.status >= 400) {
    const { code } = answer.body as { code?: string };
    world.note(`${answer.status} ${code ?? ''}`);
    return [...mustHold(codes.includes(code ?? ''), `refused with ${answer.status} ${code ?? ''}`)];
  }
  const ended = await restoreEnd(world, (answer.body as RestoreAnswer).restoreHistoryId);
  world.note(`${ended.status} ${ended.errorCode ?? ''}`);
  return [...mustHold(ended.status === 'failed' && codes.includes(ended.errorCode ?? ''), said(ended))];
}

const nonEmptyTarget: FaultCase = {
  row: 71,
  title: 'a restore is asked for into the live database, into another that is not empty, and over the live one without its name',
  async run(world) {
    const { customer, customerDatabase } = world;
    const { id } = await goodBackup(world, await jobTo(world, 'local'));
    await customer.query('CREATE DATABASE dolu TEMPLATE template0');
    try {
      await customer.query('CREATE TABLE deger AS SELECT 42 AS n', { database: 'dolu' });
      const live = await askRestore(world, id, { targetDatabase: customerDatabase });
      const other = await askRestore(world, id, { targetDatabase: 'dolu' });
      const unnamed = await askRestore(world, id, { mode: 'swap' });
      const misnamed = await askRestore(world, id, { mode: 'swap', confirmDatabase: 'siparis' });
      const violations = [
        ...(await refusedWith(world, live, ['RESTORE_TARGET_LIVE', 'RESTORE_TARGET_EXISTS'])),
        ...(await refusedWith(world, other, ['RESTORE_TARGET_EXISTS', 'RESTORE_TARGET_LIVE'])),
        ...(await refusedWith(world, unnamed, ['CONFIRMATION_MISMATCH'])),
        ...(await refusedWith(world, misnamed, ['CONFIRMATION_MISMATCH'])),
      ];
      const content = await customer.query(
        `SELECT (SELECT n FROM deger), (SELECT count(*)::int FROM pg_tables WHERE schemaname = 'public')`,
        {
          database: 'dolu',
        },
      );
      return [...violations, ...mustHold(String(content) === '42,1', `the other database holds ${String(content)}`, 'I6')];
    } finally {
      await customer.query('DROP DATABASE dolu WITH (FORCE)');
    }
  },
};

/** Dumps as it is, and fails when it is filled in a copy: near the end, when all rows are in. */
const FAILS_ON_RESTORE = `
  CREATE FUNCTION ozetle() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM siparis); END';
  CREATE MATERIALIZED VIEW ozet AS SELECT ozetle() AS adet;`;

const failingStatement: FaultCase = {
  row: 72,
  title: 'a statement near the end of a restore fails',
  async run(world) {
    const { customer, customerDatabase: database } = world;
    const client = new Client({ connectionString: customer.url(database) });
    await client.connect();
    try {
      await client.query(FAILS_ON_RESTORE);
      const { id } = await goodBackup(world, await jobTo(world, 'local'));
      const beside = (await askRestore(world, id, {})).body as RestoreAnswer;
      const ended = await restoreEnd(world, beside.restoreHistoryId);
      await world.agent.mustRun(['policy', 'allow-restore-over-live']);
      const swapped = await restoreEnd(world, (await startSwap(world, id)).restoreHistoryId);
      world.note(said(ended));
      return [ended, swapped].flatMap((row) => [
        ...mustHold(row.status === 'failed' && row.errorCode !== null, said(row)),
        ...mustHold((row.errorMessage ?? '').includes('siparis'), `the failing statement is not named: ${said(row)}`),
        ...mustHold(row.swapState === null || row.swapState === 'swap_failed', `its swap is ${row.swapState ?? ''}`, 'I6'),
      ]);
    } finally {
      await client.query('DROP MATERIALIZED VIEW IF EXISTS ozet; DROP FUNCTION IF EXISTS ozetle()');
      await client.end();
    }
  },
};

/** Sessions in the middle of a transaction; counts those that are cut. */
async function holdSessions(world: FaultWorld): Promise<{ cut: () => number; end: () => Promise<void> }> {
  let cut = 0;
  const sessions = await Promise.all(
    Array.from({ length: SESSIONS }, async () => {
      const session = new Client({ connectionString: world.customer.url(world.customerDatabase) });
      session.once('error', () => (cut += 1));
      session.on('error', () => undefined); // the end of the connection follows the reason
      await session.connect();
      await session.query('BEGIN; SELECT count(*) FROM siparis');
      return session;
    }),
  );
  return { cut: () => cut, end: async () => void (await Promise.allSettled(sessions.map((session) => session.end()))) };
}

const openSessions = (drainSeconds: number): FaultCase => ({
  row: 74,
  title: `${SESSIONS} sessions in open transactions stand in the way of a swap that ${drainSeconds === 0 ? 'may cut none' : `cuts them after ${drainSeconds} s`}`,
  async run(world) {
    const { person, customerDatabase } = world;
    await world.agent.mustRun(['policy', 'allow-restore-over-live']);
    const { id } = await goodBackup(world, await jobTo(world, 'local'));
    const held = await holdSessions(world);
    try {
      const body = { mode: 'swap', confirmDatabase: customerDatabase, drainSeconds };
      const { restoreHistoryId } = await person.call<RestoreAnswer>('POST', `/v1/backups/history/${id}/restore`, body);
      const start = performance.now();
      const end = await swapEnd(world, restoreHistoryId, END_LIMIT_MS);
      const row = await person.call<RestoreView>('GET', `/v1/restores/${restoreHistoryId}`);
      const tookMs = Math.round(performance.now() - start);
      world.note(`${end.ended} ${end.code ?? ''} after ${tookMs} ms, ${held.cut()} sessions cut`);
      const isRefused = row.swapState === 'swap_failed' && held.cut() === 0;
      const isDone = end.ended === 'swapped' && held.cut() === SESSIONS;
      return [
        ...end.violations.map((what) => ({ invariant: 'I6' as const, what })),
        ...mustHold(
          drainSeconds === 0 ? isRefused : isDone,
          `it ended ${end.ended} with ${held.cut()} sessions cut: ${said(row)}`,
        ),
        ...mustHold(tookMs <= DRAIN_LIMIT_MS + END_LIMIT_MS / 3, `it took ${tookMs} ms`),
      ];
    } finally {
      await held.end();
    }
  },
});

const killedSwap = (point: string): FaultCase => ({
  row: 73,
  title: `the agent is killed around the two renames of a swap or of its undo, at ${point}`,
  async run(world) {
    await world.agent.mustRun(['policy', 'allow-restore-over-live']);
    const bench = { world, job: await jobTo(world, 'local'), identityPath: world.identityPath };
    const outcome = await runCrashCase(bench, caseOf(point));
    world.note(`${outcome.ended} ${outcome.code ?? ''}, settled after ${outcome.settledMs} ms`);
    return outcome.violations.map((what) => ({ invariant: 'row' as const, what }));
  },
});

export const swapFaults: readonly FaultCase[] = [
  nonEmptyTarget,
  failingStatement,
  openSessions(0),
  openSessions(1),
  ...['swap.in_transaction', 'swap.committed', 'undo.in_transaction', 'undo.committed'].map(killedSwap),
];
