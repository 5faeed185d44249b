import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeProcessSpec } from '../processes/node-process.js';
import { tempDir, type TempDir } from '../temp-dir.js';
import { waitFor } from '../wait-for.js';
import { runCrashScenario, type CrashScenario } from './crash-runner.js';

/** A program with a two-step job, a crash point between the steps, and a child: what it had begun it finishes at the next start. */
const PROGRAM = `
const { appendFileSync, existsSync, readFileSync } = require('node:fs');
const { spawn } = require('node:child_process');
const journal = process.argv[2];
const [point, nth] = (process.env.FAULT ?? '').split(':');
let seen = 0;
const crashPoint = (name) => { if (name === point && ++seen === Number(nth)) process.kill(process.pid, 'SIGKILL'); };
const lines = () => existsSync(journal) ? readFileSync(journal, 'utf8').trim().split('\\n') : [];
if (lines().at(-1) === 'begun') appendFileSync(journal, 'finished\\n');
process.on('SIGUSR2', () => {
  if (process.argv[3]) spawn('sleep', ['300'], { stdio: 'ignore' });
  appendFileSync(journal, 'begun\\n'); crashPoint('job.begun'); appendFileSync(journal, 'finished\\n');
});
process.on('SIGTERM', () => process.exit(0));
setInterval(() => undefined, 1000);
console.log('ready');
`;

describe('crash-point runner', () => {
  let folder: TempDir;
  let journal: string;
  let spec: NodeProcessSpec;
  beforeEach(async () => {
    folder = await tempDir();
    journal = join(folder.path, 'journal');
    const entry = join(folder.path, 'program.cjs');
    await writeFile(entry, PROGRAM);
    spec = { entry, args: [journal], logPath: join(folder.path, 'log'), readyLine: /^ready$/m };
  });
  afterEach(() => folder.remove());

  const journalLines = async (): Promise<string[]> => (await readFile(journal, 'utf8')).trim().split('\n');
  const scenario = (change: Partial<CrashScenario<string[]>>): CrashScenario<string[]> => ({
    point: 'job.begun',
    process: spec,
    drive: async (started) => started.signal('SIGUSR2'),
    settle: () =>
      waitFor(async () => (await journalLines()).at(-1) === 'finished' && journalLines(), { describe: 'the job to finish' }),
    ...change,
  });

  it('sees the process die at the point and settle after its restart', async () => {
    const { settled, settleMs } = await runCrashScenario(scenario({}));
    expect(settled).toEqual(['begun', 'finished']);
    expect(settleMs).toBeGreaterThan(0);
  });

  it('counts how often the point is passed', async () => {
    const drive: CrashScenario<string[]>['drive'] = async (started) => {
      started.signal('SIGUSR2');
      await waitFor(async () => (await journalLines()).length === 2, { describe: 'the first job' });
      started.signal('SIGUSR2');
    };
    expect((await runCrashScenario(scenario({ nth: 2, drive }))).settled).toEqual(['begun', 'finished', 'begun', 'finished']);
  });

  it('fails when the point is never reached', async () => {
    await expect(runCrashScenario(scenario({ point: 'no.such', reachTimeoutMs: 300 }))).rejects.toThrow(
      /reach the crash point no\.such:1/,
    );
  });

  it('fails when the process ends by itself', async () => {
    const drive: CrashScenario<string[]>['drive'] = async (started) => started.signal('SIGTERM');
    await expect(runCrashScenario(scenario({ drive }))).rejects.toThrow(/ended by itself \(code 0/);
  });

  it('fails with the error of drive() when the process lives on', async () => {
    const drive = (): Promise<never> => Promise.reject(new Error('could not log in'));
    await expect(runCrashScenario(scenario({ drive }))).rejects.toThrow('could not log in');
  });

  it('fails when a child outlives the process, and names it', async () => {
    const withChild = { ...spec, args: [journal, 'with-child'] };
    const failure = await runCrashScenario(scenario({ process: withChild, orphanTimeoutMs: 200 })).then(String, String);
    expect(failure).toMatch(/Children left behind: \d+ sleep 300/);
    process.kill(Number(/behind: (\d+)/.exec(failure)?.[1]), 'SIGKILL');
  });
});
