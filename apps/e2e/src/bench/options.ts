import { resolve } from 'node:path';

export const SUBJECTS = ['pipeline', 'incremental', 'restore', 'api'] as const;
export type Subject = (typeof SUBJECTS)[number];

export interface BenchOptions {
  readonly subject: Subject;
  /** Size of the customer's database, MiB of rows. */
  readonly mb: number;
  /** How often each figure is taken; medians are reported. */
  readonly rounds: number;
  /** `incremental`: links of the chain that is restored; 0 leaves that part out. */
  readonly chain: number;
  /** `pipeline`: sizes in GB of the synthetic dumps that memory is measured with, instead of the rivals; null without `--memory`. */
  readonly memoryGb: readonly number[] | null;
  /** `api`: history rows of the workspace that is asked. */
  readonly rows: number;
  /** `api`: requests a second. */
  readonly rate: number;
  /** `api`: how long is measured, after the warm-up. */
  readonly seconds: number;
  /** Folder for the agent's CPU profiles; null for none. */
  readonly profileDir: string | null;
}

export const USAGE = `Usage: script/bench pipeline|incremental|restore|api [--mb=N] [--rounds=N] [--profile=FOLDER]
  pipeline     a whole backup against shell pipelines and restic;  --memory[=1,10]: memory at dumps of so many GB instead
  incremental  a link after 1 % changes against restic;            --chain=N: also a chain of N links restored (default 30, 0 without)
  restore      a restore against psql and pg_restore
  api          requests in open loop over a long history;          --rows=N (default 1000000) --rate=N a second (200) --seconds=N (60)
Defaults: --mb=700 (pipeline), 300 (the others); --rounds=3`;

const DEFAULT_MB: Readonly<Record<Subject, number>> = { pipeline: 700, incremental: 300, restore: 300, api: 1 };

const positive = (text: string): number => {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`${text} is not a number above 0. ${USAGE}`);
};

const SETTERS: Readonly<Record<string, (value: string) => Partial<BenchOptions>>> = {
  mb: (value) => ({ mb: Math.ceil(positive(value)) }),
  rounds: (value) => ({ rounds: Math.ceil(positive(value)) }),
  chain: (value) => ({ chain: value === '0' ? 0 : Math.ceil(positive(value)) }),
  memory: (value) => ({ memoryGb: (value === '' ? '1,10' : value).split(',').map(positive) }),
  profile: (value) => ({ profileDir: resolve(value) }),
  rows: (value) => ({ rows: Math.ceil(positive(value)) }),
  rate: (value) => ({ rate: positive(value) }),
  seconds: (value) => ({ seconds: positive(value) }),
};

function parseOption(arg: string): Partial<BenchOptions> {
  const [, name = '', value = ''] = /^--([a-z]+)(?:=(.+))?$/.exec(arg) ?? [];
  const setter = SETTERS[name];
  if (setter === undefined || (value === '' && name !== 'memory')) throw new Error(`Unknown argument ${arg}. ${USAGE}`);
  return setter(value);
}

/** @throws Error with the usage when an argument is unknown or no number */
export function parseOptions(args: readonly string[]): BenchOptions {
  const [first, ...rest] = args;
  const subject = SUBJECTS.find((known) => known === first);
  if (subject === undefined) throw new Error(USAGE);
  const defaults: BenchOptions = {
    subject,
    mb: DEFAULT_MB[subject],
    rounds: 3,
    chain: 30,
    memoryGb: null,
    rows: 1_000_000,
    rate: 200,
    seconds: 60,
    profileDir: null,
  };
  return rest.reduce((options, arg) => ({ ...options, ...parseOption(arg) }), defaults);
}
