import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { shimTools } from '@rahatback/testing';
import { Client } from 'pg';
import { startVerification, verificationEnd } from '../../crash/proof-cases.js';
import { waitOnline } from '../../system/agent-side.js';
import { mustHold, type FaultCase, type Violation } from '../fault-case.js';
import type { FaultWorld } from '../fault-world.js';
import { endOf, goodBackup, holdDumps, jobTo, said, startBackup } from '../operations.js';

/** 30 minutes by default. */
const STALL = { RAHATBACK_STALL_SECONDS: '3' };
const STALLED_WITHIN_MS = 40_000;

/** The agent with these settings, for the time of `work`. */
async function withAgent<T>(world: FaultWorld, env: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T> {
  const { daemon } = world.agent;
  await daemon.stop();
  await daemon.start(env);
  try {
    await waitOnline(world.person, 'agent-1');
    return await work();
  } finally {
    await daemon.stop();
  }
}

async function stalls(world: FaultWorld): Promise<Violation[]> {
  const start = performance.now();
  const ended = await endOf(world, await startBackup(world, await jobTo(world, 'local')), STALLED_WITHIN_MS);
  world.note(`${ended.errorCode ?? ''} after ${Math.round(performance.now() - start)} ms: "${ended.errorMessage ?? ''}"`);
  const left = world.agent.daemon.childrenLeft();
  return [
    ...mustHold(ended.status === 'failed' && ended.errorCode === 'DUMP_STALLED', said(ended)),
    ...mustHold(left.length === 0, `still running: ${left.join(', ')}`, 'I7'),
  ];
}

const waitsForLock: FaultCase = {
  row: 47,
  title: 'pg_dump hangs: it waits for a lock that nobody gives back',
  run: (world) =>
    withAgent(world, STALL, async () => {
      const held = await holdDumps(world);
      try {
        return await stalls(world);
      } finally {
        await held.release();
      }
    }),
};

/** Its children hold its output open, and neither heeds SIGTERM: only the end of the whole group helps. */
const deafTool: FaultCase = {
  row: 47,
  title: 'pg_dump hangs after its first bytes and is deaf to SIGTERM, as is the child that it left',
  async run(world) {
    const folder = join(world.folder, 'deaf-tools');
    const call = { source: { text: '--\n-- PostgreSQL database dump\n--\n' }, leaves: 'holder', end: 'deaf' } as const;
    await shimTools(folder, { pg_dump: { version: '15.99', calls: [call] }, psql: { version: '15.99' } });
    return withAgent(world, { ...STALL, RAHATBACK_TOOL_DIRS: folder }, () => stalls(world));
  },
};

/** Adds and removes columns, tables and functions until told to stop. @returns how many changes came through */
async function changeSchema(world: FaultWorld, until: () => boolean): Promise<number> {
  const client = new Client({ connectionString: world.customer.url(world.customerDatabase) });
  await client.connect();
  let changes = 0;
  try {
    await client.query(`SET lock_timeout = '100ms'; CREATE TABLE degisen (id int PRIMARY KEY, a text);
      INSERT INTO degisen SELECT i, md5(i::text) FROM generate_series(1, 1000) i`);
    for (let round = 0; !until(); round += 1) {
      const sql = [
        `ALTER TABLE degisen ADD COLUMN c${round} text DEFAULT 'x'`,
        `CREATE TABLE gecici_${round} AS SELECT * FROM degisen`,
        `ALTER TABLE degisen ALTER COLUMN a TYPE varchar(${100 + (round % 50)})`,
        `CREATE OR REPLACE FUNCTION degisir() RETURNS int LANGUAGE sql AS 'SELECT ${round}'`,
        `DROP TABLE gecici_${round}`,
        `ALTER TABLE degisen DROP COLUMN c${round}`,
      ];
      for (const statement of sql) await client.query(statement).then(() => (changes += 1), refused);
      await delay(5);
    }
    return changes;
  } finally {
    await client.query(`SET lock_timeout = 0`);
    const { rows } = await client.query<{ name: string }>(`SELECT relname AS name FROM pg_class WHERE relname LIKE 'gecici\\_%'`);
    for (const { name } of [...rows, { name: 'degisen' }]) await client.query(`DROP TABLE IF EXISTS "${name}"`);
    await client.query('DROP FUNCTION IF EXISTS degisir()');
    await client.end();
  }
}

/** A lock that a dump holds, or what could not be made before. */
function refused(error: unknown): void {
  const { code } = error as { code?: string };
  if (!['55P03', '42P01', '42703', '42P07', '42701'].includes(code ?? '')) throw error;
}

const CLEAR_ENDS: readonly string[] = ['DUMP_FAILED', 'DB_PRIVILEGE', 'DUMP_INCOMPLETE', 'DB_NOT_FOUND'];

const alterLoop: FaultCase = {
  row: 48,
  title: 'columns, tables and functions come and go while dumps run',
  async run(world) {
    const job = await jobTo(world, 'local');
    let isOver = false;
    const changing = changeSchema(world, () => isOver);
    const violations: Violation[] = [];
    const ends: string[] = [];
    let good: string | undefined;
    try {
      for (let round = 0; round < 8; round += 1) {
        const ended = await endOf(world, await startBackup(world, job));
        ends.push(ended.errorCode ?? ended.status);
        if (ended.status === 'success') good = ended.id;
        else violations.push(...mustHold(CLEAR_ENDS.includes(ended.errorCode ?? ''), said(ended)));
      }
    } finally {
      isOver = true;
      world.note(`${await changing} changes of the schema; backups ended ${ends.join(', ')}`);
    }
    const { id } = await goodBackup(world, job);
    // The snapshot is consistent: what was dumped between changes restores, with the digests of the dump.
    const verified = await verificationEnd(world, (await startVerification(world, good ?? id)).verificationId, 120_000);
    return [
      ...violations,
      ...mustHold(verified.ended === 'PASSED', `its verification ended ${verified.ended} ${verified.code ?? ''}`),
      ...verified.violations.map((what) => ({ invariant: 'row' as const, what })),
    ];
  },
};

export const dumpToolFaults: readonly FaultCase[] = [waitsForLock, deafTool, alterLoop];
