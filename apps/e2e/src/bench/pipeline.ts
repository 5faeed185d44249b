import type { BackupDetailView } from '@rahatback/contracts';
import { renderTable } from '../demo/table.js';
import { sayLine } from '../demo/watch.js';
import { backUp, makeJob, startBenchWorld, type BenchWorld, type Cleanup, type ProductRun } from './bench-world.js';
import { sayMachine } from './machine.js';
import type { BenchOptions } from './options.js';
import { Rivals } from './rivals.js';
import type { ShellRun } from './run-shell.js';
import { median, rotated, rounded } from './statistics.js';

const NAMES = ['ours', 'zstdShell', 'gzipShell', 'restic', 'bareDump'] as const;
type Name = (typeof NAMES)[number];

const WHAT: Readonly<Record<Name, string>> = {
  ours: 'RahatBack: API, worker and agent; zstd, passphrase',
  zstdShell: 'pg_dump -Fp | zstd -3 | openssl enc | rclone rcat',
  gzipShell: 'pg_dump -Fp | gzip -6 | openssl enc | rclone rcat',
  restic: 'pg_dump -Fp | restic backup --stdin',
  bareDump: 'pg_dump -Fc -Z0 >/dev/null',
};

interface Row {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly toolCpuSeconds: number;
  readonly peakRssBytes: number;
  readonly storedBytes: number;
}

type Rows = Readonly<Record<Name, Row[]>>;

const MB = 1e6;
const column = (rows: readonly Row[], key: keyof Row): number => median(rows.map((row) => row[key]));

function report(rows: Rows): void {
  const header = ['', 'wall s', 'CPU s', 'of these pg_dump', 'peak MB', 'stored MB', 'walls'];
  const lines = NAMES.map((name) => {
    const of = (key: keyof Row): number => column(rows[name], key);
    const seconds = [of('wallSeconds'), of('cpuSeconds'), of('toolCpuSeconds')].map((value) => value.toFixed(1));
    const sizes = [of('peakRssBytes'), of('storedBytes')].map((value) => (value / MB).toFixed(1));
    return [WHAT[name], ...seconds, ...sizes, rows[name].map(({ wallSeconds }) => wallSeconds.toFixed(1)).join(' ')];
  });
  sayLine(renderTable(header, lines, [1, 2, 3, 4, 5]));
}

function result(rows: Rows): object {
  const against = (key: keyof Row, names: readonly Name[]): object =>
    Object.fromEntries(names.map((name) => [name, rounded(column(rows.ours, key) / column(rows[name], key))]));
  return {
    wallRatio: against('wallSeconds', ['zstdShell', 'gzipShell', 'restic', 'bareDump']),
    storedRatio: against('storedBytes', ['zstdShell', 'gzipShell', 'restic']),
    cpuRatio: against('cpuSeconds', ['zstdShell', 'gzipShell', 'restic']),
    agentPeakRssMb: rounded(Math.max(...rows.ours.map(({ peakRssBytes }) => peakRssBytes)) / MB, 1),
  };
}

/** Says what the product took besides: the server's part, and what the row itself calls its duration. */
function sayOurs({ view, wallSeconds, server }: ProductRun<BackupDetailView>): void {
  const durations = `request to success ${wallSeconds.toFixed(1)} s, by the row ${((view.durationMs ?? 0) / 1000).toFixed(1)} s`;
  const memory = `${(server.peakRssBytes / MB).toFixed(0)} MB`;
  sayLine(
    `    ${durations}; API and worker ${server.cpuSeconds.toFixed(1)} CPU s, ${memory}; dump ${((view.sizeBytes ?? 0) / MB).toFixed(0)} MB`,
  );
}

async function ours(world: BenchWorld, rivals: Rivals): Promise<Row> {
  const job = await makeJob(world);
  const before = await rivals.storedBytes(world.bucket);
  const run = await backUp(world, job);
  sayOurs(run);
  return { ...run, storedBytes: (await rivals.storedBytes(world.bucket)) - before };
}

/** A whole backup by the product and by each rival, the order turned by one in each round. @returns what the last line says */
export async function benchPipeline(options: BenchOptions, home: string, cleanups: Cleanup[]): Promise<object> {
  const world = await startBenchWorld(options, cleanups);
  const rivals = new Rivals(world, home);
  await sayMachine(rivals);
  const alone = async (run: Promise<ShellRun>): Promise<Row> => ({ ...(await run), storedBytes: 0 });
  const measure: Readonly<Record<Name, () => Promise<Row>>> = {
    ours: () => ours(world, rivals),
    zstdShell: () => rivals.zstdShell(),
    gzipShell: () => rivals.gzipShell(),
    restic: () => rivals.restic(),
    bareDump: () => alone(rivals.bareDump()),
  };
  const rows: Rows = { ours: [], zstdShell: [], gzipShell: [], restic: [], bareDump: [] };
  await rivals.warmUp();
  for (let round = 0; round < options.rounds; round += 1) {
    for (const name of rotated(NAMES, round)) {
      const row = await measure[name]();
      rows[name].push(row);
      sayLine(`  round ${round + 1}  ${name.padEnd(10)} ${row.wallSeconds.toFixed(1)} s`);
    }
  }
  report(rows);
  return result(rows);
}
