import { readFileSync } from 'node:fs';
import { Client } from 'pg';
import { mustHold, type FaultCase } from '../fault-case.js';
import type { FaultWorld } from '../fault-world.js';
import { endOf, jobTo, said, startBackup } from '../operations.js';

const MIB = 1024 * 1024;
/** Does not compress, so that all of it has to pass the link. */
const ROWS = 1_500;
const ROW_BYTES = 64 * 1024;
const BYTES_PER_SECOND = 3 * MIB;
const PEAK_LIMIT_MB = 200;
const GROWTH_LIMIT_MB = 48;

/** The daemon with its threads, without the dump tool. */
const rssMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

async function makeBallast({ customer, customerDatabase }: FaultWorld): Promise<Client> {
  const client = new Client({ connectionString: customer.url(customerDatabase) });
  await client.connect();
  await client.query(`CREATE TABLE yuk (id int, veri bytea); ALTER TABLE yuk ALTER veri SET STORAGE EXTERNAL`);
  await client.query(
    `INSERT INTO yuk SELECT i, (SELECT string_agg(sha512((i || '/' || j)::bytea), '') FROM generate_series(1, $1) j) FROM generate_series(1, $2) i`,
    [ROW_BYTES / 64, ROWS],
  );
  return client;
}

const slowBucket: FaultCase = {
  row: 51,
  title: `the bucket takes ${BYTES_PER_SECOND / MIB} MiB/s a connection while the dump could give much more`,
  async run(world) {
    const client = await makeBallast(world);
    const samples: number[] = [];
    const sampler = setInterval(() => samples.push(rssMb(world.agent.daemon.pid)), 100);
    try {
      const job = await jobTo(world, 's3');
      const before = world.links.s3.carriedBytes();
      world.links.s3.set({ bytesPerSecond: BYTES_PER_SECOND, direction: 'up' });
      const start = performance.now();
      const ended = await endOf(world, await startBackup(world, job), 240_000);
      const seconds = Math.round((performance.now() - start) / 1_000);
      clearInterval(sampler);
      const carriedMb = Math.round((world.links.s3.carriedBytes() - before) / MIB);
      const most = (from: number, to: number): number =>
        Math.round(Math.max(...samples.slice(Math.floor(samples.length * from), Math.ceil(samples.length * to))));
      const [early, late, peak] = [most(0.2, 0.5), most(0.7, 1), most(0, 1)];
      world.note(`${carriedMb} MiB in ${seconds} s; agent ${early} MB, then ${late} MB, peak ${peak} MB`);
      return [
        ...mustHold(ended.status === 'success' && ended.attempts.length === 1, said(ended)),
        ...mustHold(carriedMb >= (ROWS * ROW_BYTES) / MIB, `only ${carriedMb} MiB passed the link`),
        ...mustHold(late - early <= GROWTH_LIMIT_MB, `the agent grew from ${early} to ${late} MB`),
        ...mustHold(peak <= PEAK_LIMIT_MB, `the agent took ${peak} MB`),
      ];
    } finally {
      clearInterval(sampler);
      await client.query('DROP TABLE yuk');
      await client.end();
    }
  },
};

export const slowStorageFaults: readonly FaultCase[] = [slowBucket];
