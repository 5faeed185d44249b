import type { JobView } from '@rahatback/contracts';
import { renderTable } from '../demo/table.js';
import { sayLine } from '../demo/watch.js';
import { backUp, makeJob, restore, startBenchWorld, type BenchWorld, type Cleanup } from './bench-world.js';
import { changeOnePercent, dropDatabase, type ChangeShape } from './database-changes.js';
import { loadNow, sayMachine } from './machine.js';
import type { BenchOptions } from './options.js';
import { Rivals, type ResticRepository } from './rivals.js';
import { median, rotated, rounded } from './statistics.js';

const MB = 1e6;
const SHAPES: readonly ChangeShape[] = ['clustered', 'scattered'];

interface Added {
  readonly bytes: number;
  readonly wallSeconds: number;
}

interface Round {
  readonly ours: Added;
  readonly restic: Added;
}

/** The same state of the database, backed up again by both, each into what it has already. */
interface Contest {
  readonly world: BenchWorld;
  readonly rivals: Rivals;
  readonly job: JobView;
  readonly repository: ResticRepository;
}

async function ours({ world, rivals, job }: Contest): Promise<Added> {
  const before = await rivals.storedBytes(world.bucket);
  const { wallSeconds } = await backUp(world, job);
  return { wallSeconds, bytes: (await rivals.storedBytes(world.bucket)) - before };
}

async function restics({ repository }: Contest): Promise<Added> {
  const before = await repository.storedBytes();
  const { wallSeconds } = await repository.backUp();
  return { wallSeconds, bytes: (await repository.storedBytes()) - before };
}

async function bothOf(contest: Contest, round: number): Promise<Round> {
  const measured: Record<string, Added> = {};
  for (const [name, measure] of rotated(
    [
      ['ours', ours],
      ['restic', restics],
    ] as const,
    round,
  ))
    measured[name] = await measure(contest);
  const none = { bytes: 0, wallSeconds: 0 };
  return { ours: measured.ours ?? none, restic: measured.restic ?? none };
}

interface Case extends Record<string, unknown> {
  readonly name: string;
  readonly bytesRatioRestic: number;
  readonly wallRatioRestic: number;
}

function caseOf(name: string, rounds: readonly Round[]): Case {
  const of = (who: keyof Round, what: keyof Added): number => median(rounds.map((round) => round[who][what]));
  const [bytes, resticBytes] = [of('ours', 'bytes'), of('restic', 'bytes')];
  const [wall, resticWall] = [of('ours', 'wallSeconds'), of('restic', 'wallSeconds')];
  return {
    name,
    bytesRatioRestic: rounded(bytes / resticBytes),
    wallRatioRestic: rounded(wall / resticWall),
    addedMb: rounded(bytes / MB),
    resticAddedMb: rounded(resticBytes / MB),
    wallSeconds: rounded(wall, 2),
    resticWallSeconds: rounded(resticWall, 2),
  };
}

async function changes(contest: Contest, rounds: number): Promise<Case[]> {
  const cases: Case[] = [caseOf('first, full', [await bothOf(contest, 0)])];
  for (const [at, shape] of SHAPES.entries()) {
    const all: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const rows = await changeOnePercent(contest.world.customer.url(), shape, at * rounds + round);
      const both = await bothOf(contest, round);
      all.push(both);
      sayLine(
        `  ${shape}, ${rows} rows: ${(both.ours.bytes / MB).toFixed(1)} MB added, restic ${(both.restic.bytes / MB).toFixed(1)} MB`,
      );
    }
    cases.push(caseOf(`${shape} 1 %`, all));
  }
  return cases;
}

async function restoreSeconds(world: BenchWorld, backupId: string): Promise<number> {
  const { wallSeconds, view } = await restore(world, backupId);
  await dropDatabase(world.customer.url('postgres'), view.targetDatabase);
  return wallSeconds;
}

/** The last point of a chain, each link with a clustered 1 %, against a full backup of the same state. */
async function chainAgainstFull(world: BenchWorld, links: number, rounds: number): Promise<object> {
  const job = await makeJob(world, { backupType: 'incremental', maxChainLength: links });
  let last = await backUp(world, job);
  const chainId = last.view.chainId;
  for (let link = 2; link <= links; link += 1) {
    await changeOnePercent(world.customer.url(), 'clustered', link);
    last = await backUp(world, job);
  }
  if (last.view.chainId !== chainId || chainId === null) throw new Error(`The chain did not grow to ${links} links`);
  const full = await backUp(world, await makeJob(world));
  const seconds: Record<'chain' | 'full', number[]> = { chain: [], full: [] };
  for (let round = 0; round < rounds; round += 1)
    for (const [name, run] of rotated(
      [
        ['chain', last],
        ['full', full],
      ] as const,
      round,
    )) {
      seconds[name].push(await restoreSeconds(world, run.view.id));
      sayLine(`  restore of ${name === 'full' ? 'a full' : `link ${links}`}: ${seconds[name].at(-1)?.toFixed(1) ?? ''} s`);
    }
  const [chainSeconds, fullSeconds] = [median(seconds.chain), median(seconds.full)];
  return {
    links,
    restoreRatioFull: rounded(chainSeconds / fullSeconds),
    chainSeconds: rounded(chainSeconds, 2),
    fullSeconds: rounded(fullSeconds, 2),
  };
}

/** Links after small changes, against restic's next snapshots of the same states. @returns what the last line says */
export async function benchIncremental(options: BenchOptions, home: string, cleanups: Cleanup[]): Promise<object> {
  const world = await startBenchWorld(options, cleanups);
  const rivals = new Rivals(world, home);
  await sayMachine(rivals);
  await rivals.warmUp();
  const job = await makeJob(world, { backupType: 'incremental' });
  const cases = await changes({ world, rivals, job, repository: await rivals.resticRepository() }, options.rounds);
  const header = ['', 'added MB', 'restic', 'ratio', 'wall s', 'restic', 'ratio'];
  const row = (one: Case): string[] =>
    [
      one.name,
      one.addedMb,
      one.resticAddedMb,
      one.bytesRatioRestic,
      one.wallSeconds,
      one.resticWallSeconds,
      one.wallRatioRestic,
    ].map(String);
  sayLine(renderTable(header, cases.map(row), [1, 2, 3, 4, 5, 6]));
  if (options.chain < 2) return { cases };
  sayLine(`A chain of ${options.chain} links (load ${loadNow()}) …`);
  return { cases, chain: await chainAgainstFull(world, options.chain, options.rounds) };
}
