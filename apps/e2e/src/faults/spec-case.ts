import { spawn } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { mustHold, type FaultCase } from './fault-case.js';

interface SpecResult {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
}

export interface SpecCase {
  readonly row: number;
  readonly title: string;
  /** Test file, from the root of the repository. */
  readonly file: string;
  /** Part of the name of its test; at least one must pass. */
  readonly name: string;
}

/** A row that a test of one part proves better than the whole system can: that very test runs, in a process of its own. */
export const specCase = ({ row, title, file, name }: SpecCase): FaultCase => ({
  row,
  title,
  async run(world) {
    const path = join(world.folder, `row-${row}.json`);
    const args = ['--ci', '--forceExit', '--json', `--outputFile=${path}`, '--testMatch', `**/${file}`, '-t', name];
    let words = '';
    await new Promise<void>((resolve, reject) => {
      const child = spawn('jest', args, { stdio: ['ignore', 'ignore', 'pipe'] });
      child.stderr.on('data', (text: Buffer) => (words += text.toString()));
      child.once('error', reject);
      child.once('close', () => resolve());
    });
    const result = JSON.parse(await readFile(path, 'utf8')) as SpecResult;
    await rm(path);
    if (result.numPassedTests + result.numFailedTests === 0) throw new Error(`${file} has no test "${name}"`);
    world.note(`${file}: ${result.numPassedTests} passed`);
    return mustHold(result.success && result.numFailedTests === 0, words.slice(-1_000));
  },
});
