import { recordProofFact } from '../proof.js';
import { seedFromEnv } from '../random.js';
import { fuzzLine, fuzzParser, type FuzzFigures, type FuzzTarget } from './fuzz-run.js';

export interface FuzzShare {
  readonly target: FuzzTarget;
  /** Of all executions of the suite, in proportion to the others: what is quick gets more. */
  readonly weight: number;
}

/** Anything below is what the corpus, the code and the garbage collector's leisure take. */
const MAX_GROWN_MIB = 700;

/** Whether a run kept the contract of every parser; the text names what it did not keep. */
const troubleOf = ({ failures, grownMiB, parser }: FuzzFigures): string[] => [
  ...failures,
  ...(grownMiB > MAX_GROWN_MIB ? [`${parser} grew by ${grownMiB} MiB`] : []),
];

export interface FuzzTotal {
  readonly figures: readonly FuzzFigures[];
  readonly trouble: readonly string[];
}

/** Runs every parser for its share, prints a line each and records it for script/prove. */
export async function fuzzAll(suite: string, shares: readonly FuzzShare[], executions: number): Promise<FuzzTotal> {
  const seed = seedFromEnv(suite);
  const weights = shares.reduce((sum, { weight }) => sum + weight, 0);
  const figures: FuzzFigures[] = [];
  for (const { target, weight } of shares) {
    const run = await fuzzParser(target, Math.ceil((executions * weight) / weights), seed);
    const { failures, ...recorded } = run;
    recordProofFact(target.name, { ...recorded, failures: failures.length });
    process.stdout.write(`fuzz ${fuzzLine(run)}\n`);
    figures.push(run);
  }
  const total = figures.reduce((sum, run) => sum + run.executions, 0);
  process.stdout.write(`${suite}: ${total} executions of ${figures.length} parsers, RAHAT_SEED=${seed}\n`);
  recordProofFact(`${suite}: executions`, total);
  return { figures, trouble: figures.flatMap(troubleOf) };
}
