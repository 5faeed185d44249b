/** What script/prove runs: the *.prove-spec.ts of one name, without sampling, and writes docs/proofs/<name>.json with the commit it ran on. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';

interface JestResult {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim();
const isSource = (path: string): boolean => !path.startsWith('docs/proofs/');

function runJest(name: string, folder: string): JestResult {
  const resultPath = join(folder, 'result.json');
  const files = ['--testMatch', `**/${name}.prove-spec.ts`, '--runInBand'];
  const output = ['--ci', '--cacheDirectory=.cache/jest', '--json', `--outputFile=${resultPath}`];
  const env = { ...process.env, PROVE: name, PROVE_FACTS: join(folder, 'facts'), TMPDIR: folder };
  spawnSync('jest', [...files, ...output], { env, stdio: ['ignore', 'inherit', 'inherit'] });
  return JSON.parse(readFileSync(resultPath, 'utf8')) as JestResult;
}

function factsIn(folder: string): unknown[] {
  try {
    const lines = readFileSync(join(folder, 'facts'), 'utf8').trim().split('\n');
    return lines.map((line) => JSON.parse(line) as unknown);
  } catch {
    return [];
  }
}

function prove(name: string, folder: string): boolean {
  const changed = git('status', '--porcelain', '--untracked-files=no')
    .split('\n')
    .map((line) => line.slice(2).trim());
  const commit = git('rev-parse', 'HEAD');
  const startedAt = new Date().toISOString();
  const start = performance.now();
  const result = runJest(name, folder);
  const proof = {
    name,
    ok: result.success && result.numPassedTests > 0,
    commit,
    /** Whether files differed from that commit: such a result proves nothing to others. */
    changedSinceCommit: changed.some((path) => path !== '' && isSource(path)),
    startedAt,
    seconds: Math.round((performance.now() - start) / 1_000),
    machine: { node: process.version, platform: `${process.platform}-${process.arch}`, cores: cpus().length },
    seed: process.env.RAHAT_SEED,
    passed: result.numPassedTests,
    failed: result.numFailedTests,
    skipped: result.numPendingTests,
    facts: factsIn(folder),
    tests: result.testResults.flatMap(({ assertionResults }) =>
      assertionResults.map(({ fullName, status }) => ({ fullName, status })),
    ),
  };
  mkdirSync('docs/proofs', { recursive: true });
  writeFileSync(`docs/proofs/${name}.json`, `${JSON.stringify(proof, null, 2)}\n`);
  process.stdout.write(`docs/proofs/${name}.json: ${proof.passed} passed, ${proof.failed} failed, ${proof.skipped} skipped\n`);
  return proof.ok;
}

function main(name: string | undefined): boolean {
  if (name === undefined || !/^[a-z][a-z0-9-]*$/.test(name)) {
    const known = git('ls-files', '*.prove-spec.ts').split('\n').filter(Boolean);
    const names = known.map((path) => path.slice(path.lastIndexOf('/') + 1).replace('.prove-spec.ts', ''));
    process.stderr.write(`usage: script/prove <name>; known: ${names.join(', ') || 'none yet'}\n`);
    return false;
  }
  const folder = mkdtempSync(join(tmpdir(), 'rahatback-prove-'));
  chmodSync(folder, 0o711);
  try {
    return prove(name, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

process.exitCode = main(process.argv[2]) ? 0 : 1;
