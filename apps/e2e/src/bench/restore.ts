import { join } from 'node:path';
import type { BackupDetailView } from '@rahatback/contracts';
import { renderTable } from '../demo/table.js';
import { sayLine } from '../demo/watch.js';
import { backUp, makeJob, restore, startBenchWorld, type BenchWorld, type Cleanup } from './bench-world.js';
import { dropDatabase } from './database-changes.js';
import { sayMachine } from './machine.js';
import type { BenchOptions } from './options.js';
import { Rivals } from './rivals.js';
import { median, rotated, rounded } from './statistics.js';

const NAMES = ['ours', 'core', 'psql', 'pgRestore'] as const;
type Name = (typeof NAMES)[number];

const WHAT: Readonly<Record<Name, string>> = {
  ours: 'RahatBack: request to success, from S3, every table compared',
  core: 'rahatback-agent restore: from S3, no server, every table compared',
  psql: 'psql -1 of a plain dump on the local disk',
  pgRestore: 'pg_restore -j2 of a -Fc dump on the local disk',
};
const TARGET = 'bench_restored';

interface Files {
  readonly plain: string;
  readonly custom: string;
}

async function makeFiles(rivals: Rivals, home: string): Promise<Files> {
  const files = { plain: join(home, 'dump.sql'), custom: join(home, 'dump.custom') };
  const env = { BENCH_PLAIN: files.plain, BENCH_CUSTOM: files.custom };
  await rivals.run('pg_dump -Fp -f "$BENCH_PLAIN" && pg_dump -Fc -f "$BENCH_CUSTOM"', env);
  return files;
}

async function byProduct(world: BenchWorld, backup: BackupDetailView): Promise<number> {
  const { wallSeconds, view } = await restore(world, backup.id);
  await dropDatabase(world.customer.url('postgres'), view.targetDatabase);
  return wallSeconds;
}

/** The agent's own command, which reads the bucket and loads with no server between. */
async function byCore({ agent, customer, s3, bucket }: BenchWorld, backup: BackupDetailView): Promise<number> {
  const { host, port, username, password } = customer.connection;
  const place = ['--from', `s3://${bucket}`, '--endpoint', s3.endpoint, '--region', s3.region, '--backup', backup.id];
  const target = ['--database', TARGET, '--host', host, '--port', String(port), '--user', username, '--tls-mode', 'disable'];
  const keys = { AWS_ACCESS_KEY_ID: s3.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.secretAccessKey, PGPASSWORD: password ?? '' };
  const start = performance.now();
  await agent.mustRun(['restore', ...place, ...target, '--json'], keys);
  return (performance.now() - start) / 1000;
}

async function byTool(rivals: Rivals, load: string, file: string): Promise<number> {
  const create = `psql -Xq -d postgres -c 'CREATE DATABASE ${TARGET} TEMPLATE template0'`;
  const { wallSeconds } = await rivals.run(`${create} && ${load} "$BENCH_FILE" >/dev/null`, { BENCH_FILE: file });
  return wallSeconds;
}

/** The same database restored in four ways, the order turned by one in each round. @returns what the last line says */
export async function benchRestore(options: BenchOptions, home: string, cleanups: Cleanup[]): Promise<object> {
  const world = await startBenchWorld(options, cleanups);
  const rivals = new Rivals(world, home);
  await sayMachine(rivals);
  const { view: backup } = await backUp(world, await makeJob(world));
  const files = await makeFiles(rivals, home);
  const measure: Readonly<Record<Name, () => Promise<number>>> = {
    ours: () => byProduct(world, backup),
    core: () => byCore(world, backup),
    psql: () => byTool(rivals, `psql -Xq -v ON_ERROR_STOP=1 -1 -d ${TARGET} -f`, files.plain),
    pgRestore: () => byTool(rivals, `pg_restore --exit-on-error -j2 -d ${TARGET}`, files.custom),
  };
  const walls: Readonly<Record<Name, number[]>> = { ours: [], core: [], psql: [], pgRestore: [] };
  for (let round = 0; round < options.rounds; round += 1) {
    for (const name of rotated(NAMES, round)) {
      const wallSeconds = await measure[name]();
      await dropDatabase(world.customer.url('postgres'), TARGET);
      walls[name].push(wallSeconds);
      sayLine(`  round ${round + 1}  ${name.padEnd(10)} ${wallSeconds.toFixed(1)} s`);
    }
  }
  const rows = NAMES.map((name) => [
    WHAT[name],
    median(walls[name]).toFixed(1),
    walls[name].map((wall) => wall.toFixed(1)).join(' '),
  ]);
  sayLine(renderTable(['', 'wall s', 'walls'], rows, [1]));
  const ratio = (own: Name, rival: Name): number => rounded(median(walls[own]) / median(walls[rival]));
  const against = (own: Name): object => ({ psql: ratio(own, 'psql'), pgRestoreJ2: ratio(own, 'pgRestore') });
  return { wallRatio: against('ours'), coreWallRatio: against('core'), dumpMb: rounded((backup.sizeBytes ?? 0) / 1e6, 1) };
}
