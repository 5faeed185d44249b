/**
 * What script/test runs: build, lint, types, format, then unit, integration and whole-system tests; or only the tests that the arguments name.
 * The complete run is watched for clear secrets. Ends with the line `N passed, N failed, N skipped` and exit code 0 only if at least one test ran, none failed, every other stage was green, and
 * no process stayed behind.
 */
import { spawn } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { watchSecrets, type SecretWatch } from './secret-watch.ts';

const CACHE = '.cache';

interface Stage {
  readonly name: string;
  readonly command: readonly string[];
  /** Set for Jest stages: where it writes its counts. */
  readonly resultPath?: string;
}

interface StageResult {
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface JestResult {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

const jest = (name: string, ...args: string[]): Stage => {
  const resultPath = join(CACHE, `jest-${name}.json`);
  const common = ['--ci', `--cacheDirectory=${CACHE}/jest`, '--json', `--outputFile=${resultPath}`];
  return { name, command: ['jest', ...common, ...args], resultPath };
};

/** Whole-system tests start a dozen processes each: one file at a time on two cores. */
const ALL_STAGES: readonly Stage[] = [
  { name: 'build', command: ['nx', 'run-many', '-t', 'build', '--output-style=static'] },
  // Nx's import rule reads the project graph from its cache, and skips itself without one: the build has just written it.
  { name: 'lint', command: ['eslint', '.', '--max-warnings', '0'] },
  { name: 'types', command: ['tsc', '-p', 'tsconfig.json'] },
  { name: 'format', command: ['prettier', '--check', '--log-level', 'warn', '.'] },
  jest('unit', '--maxWorkers=2', '--passWithNoTests', '--testPathPatterns', '[.]spec[.]ts$'),
  jest('integration', '--maxWorkers=2', '--passWithNoTests', '--testPathPatterns', '[.]int-spec[.]ts$'),
  jest('system', '--maxWorkers=1', '--passWithNoTests', '--testPathPatterns', '[.]e2e-spec[.]ts$'),
];

function countsOf(stage: Stage, exitedWell: boolean): Pick<StageResult, 'ok' | 'passed' | 'failed' | 'skipped'> {
  if (stage.resultPath === undefined) return { ok: exitedWell, passed: 0, failed: 0, skipped: 0 };
  try {
    const result = JSON.parse(readFileSync(stage.resultPath, 'utf8')) as JestResult;
    // A file that cannot even be loaded has no tests to count: it counts as one failure.
    const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
    const skipped = result.numPendingTests + result.numTodoTests;
    return { ok: exitedWell && result.success && failed === 0, passed: result.numPassedTests, failed, skipped };
  } catch {
    return { ok: false, passed: 0, failed: 1, skipped: 0 };
  }
}

interface RunContext {
  readonly env: NodeJS.ProcessEnv;
  /** Sees what the stage prints. */
  readonly onOutput: (text: Buffer) => void;
}

function run(command: readonly string[], { env, onOutput }: RunContext): Promise<boolean> {
  const [program = '', ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const [stream, out] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ] as const) {
      stream.on('data', onOutput);
      stream.pipe(out, { end: false });
    }
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === 0));
  });
}

async function runStage(stage: Stage, context: RunContext): Promise<StageResult> {
  process.stdout.write(`\n== ${stage.name}\n`);
  if (stage.resultPath !== undefined) rmSync(stage.resultPath, { force: true });
  const start = performance.now();
  const counts = countsOf(stage, await run(stage.command, context));
  const seconds = (performance.now() - start) / 1_000;
  process.stdout.write(`== ${stage.name} ${counts.ok ? 'ok' : 'FAILED'} in ${seconds.toFixed(1)} s\n`);
  return { name: stage.name, seconds, ...counts };
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Processes of this run that still live, killed here: the tests must have ended them. */
function killLeftBehind(runId: string): string[] {
  const marker = `RAHAT_TEST_RUN=${runId}`;
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const left = pids.filter((pid) => readOrEmpty(`/proc/${pid}/environ`).split('\0').includes(marker));
  return left.map((pid) => {
    const argv = readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // it ended just now
    }
    return `${pid} ${argv}`;
  });
}

/** Servers run as nobody and must pass through the folder; Jest's cache stays outside of it, or every run would compile anew. */
function makeTempRoot(): string {
  const path = mkdtempSync(join(tmpdir(), 'rahatback-test-'));
  chmodSync(path, 0o711);
  return path;
}

function report(results: readonly StageResult[], orphans: readonly string[], leaks: readonly string[]): boolean {
  const sum = (key: 'passed' | 'failed' | 'skipped'): number => results.reduce((total, result) => total + result[key], 0);
  process.stdout.write('\n');
  for (const { name, ok, seconds } of results)
    process.stdout.write(`${name.padEnd(12)} ${ok ? 'ok    ' : 'FAILED'} ${seconds.toFixed(1).padStart(7)} s\n`);
  for (const orphan of orphans) process.stdout.write(`left behind (killed now): ${orphan}\n`);
  for (const leak of leaks) process.stdout.write(`clear secret: ${leak}\n`);
  const none = sum('passed') + sum('failed') === 0;
  if (none) process.stdout.write('no test ran\n');
  // The closing line alone must tell the truth: a red stage without red tests, and processes left behind, are failures too.
  const redStages = results.filter(({ ok, failed }) => !ok && failed === 0).length;
  const failed = sum('failed') + redStages + (orphans.length > 0 ? 1 : 0) + (leaks.length > 0 ? 1 : 0);
  process.stdout.write(`${sum('passed')} passed, ${failed} failed, ${sum('skipped')} skipped\n`);
  return !none && failed === 0;
}

async function main(args: readonly string[]): Promise<boolean> {
  const runId = randomUUID();
  const seed = process.env.RAHAT_SEED ?? String(randomInt(2 ** 31));
  const tempRoot = makeTempRoot();
  mkdirSync(CACHE, { recursive: true });
  const env = {
    ...process.env,
    NX_DAEMON: 'false',
    NX_NO_CLOUD: 'true',
    RAHAT_SEED: seed,
    RAHAT_TEST_RUN: runId,
    TMPDIR: tempRoot,
  };
  process.stdout.write(`RAHAT_SEED=${seed} (set it to run the same samples again)\n`);
  const stages = args.length > 0 ? [jest('selected', '--maxWorkers=2', ...args)] : ALL_STAGES;
  const results: StageResult[] = [];
  let watch: SecretWatch | undefined;
  try {
    for (const stage of stages) {
      // The watch is our own test library, which the first stage has just compiled.
      if (args.length === 0 && stage.resultPath !== undefined) watch ??= await watchSecrets(tempRoot);
      const context = { env: { ...env, ...watch?.env }, onOutput: (text: Buffer) => watch?.output(text) };
      results.push(await runStage(stage, context));
    }
    const orphans = killLeftBehind(runId);
    return report(results, orphans, (await watch?.end()) ?? []);
  } finally {
    rmSync(tempRoot, { recursive: true, force: true, maxRetries: 5 });
  }
}

process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
