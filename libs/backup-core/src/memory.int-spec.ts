import { startPostgres, type PrivatePostgres } from '@rahatback/testing';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupHarness } from './backup-harness.suite.js';
import { dumpBytes } from './restore/read-dump.js';

const DUMP_BYTES = 1_000_000_000;
/** Less than half of the dump, so that nothing can hold it. Not tighter: buffers that are free wait for the collector, which lags on a busy machine. */
const ALLOWED_GROWTH_BYTES = 400 * 1024 * 1024;

/** A whole dump of one table of that size; `seq` is fast and its output is not all the same. */
const SCRIPT = `#!/bin/sh
if [ "$1" = --version ]; then echo 'pg_dump (PostgreSQL) 15.20'; exit 0; fi
printf 'SET standard_conforming_strings = on;\\nCOPY "public"."t" ("id") FROM stdin;\\n'
seq 1 200000000 | head -c ${DUMP_BYTES}
printf '\\n\\\\.\\n--\\n-- PostgreSQL database dump complete\\n--\\n'
`;

/** Runs `work` while it samples this process's memory. */
async function measured(work: () => Promise<number>): Promise<{ growthBytes: number; megabytesPerSecond: number }> {
  const before = process.memoryUsage().rss;
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 20);
  const startedAt = performance.now();
  const bytes = await work().finally(() => clearInterval(timer));
  return { growthBytes: peak - before, megabytesPerSecond: Math.round(bytes / 1000 / (performance.now() - startedAt)) };
}

describe('a dump of 1 GB', () => {
  let server: PrivatePostgres;
  let harness: BackupHarness;
  beforeAll(async () => {
    server = await startPostgres();
    harness = await BackupHarness.start(server);
  }, 60_000);
  afterAll(async () => {
    await harness.stop();
    await server.stop();
  });

  it('is backed up and read back in constant memory', async () => {
    const folder = join(harness.folder.path, 'tools');
    await mkdir(folder);
    await writeFile(join(folder, 'pg_dump'), SCRIPT);
    await chmod(join(folder, 'pg_dump'), 0o755);
    const tools = [{ major: server.major, version: '15.20', folder, warning: null }];
    let backupId = '';
    const backup = await measured(async () => {
      const { manifest, facts } = await harness.backUp('postgres', { tools });
      backupId = manifest.backupId;
      expect(facts.tables).toMatchObject([{ table: 't', columns: ['id'] }]);
      expect(manifest.dumpBytes).toBeGreaterThan(DUMP_BYTES);
      return manifest.dumpBytes;
    });
    const opened = await harness.open(backupId);
    const reading = await measured(async () => {
      let bytes = 0;
      for await (const chunk of dumpBytes(opened)) bytes += chunk.length;
      return bytes;
    });
    const figure = (name: string, { growthBytes, megabytesPerSecond }: typeof backup): string =>
      `${name}: ${megabytesPerSecond} MB/s, ${Math.round(growthBytes / 1e6)} MB of memory`;
    process.stdout.write(`${figure('backup', backup)}; ${figure('reading', reading)}\n`);
    expect(backup.growthBytes).toBeLessThan(ALLOWED_GROWTH_BYTES);
    expect(reading.growthBytes).toBeLessThan(ALLOWED_GROWTH_BYTES);
  }, 240_000);
});
