/**
 * The watch for clear secrets over a complete test run: passwords, passphrases and S3 keys of all tests bear one mark, tokens are known by their
 * form. argv, output and temporary files are looked at here; Redis, answers and frames by the test servers in their own processes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SecretWatch {
  /** For the stages. */
  readonly env: Readonly<Record<string, string>>;
  output(text: Buffer): void;
  /** Prints what was looked at. @returns what was found, and every channel that nothing went through: then the watch was blind */
  end(): Promise<string[]>;
}

/** The S3 server's own tool is told its user's keys on the command line: it belongs to the tests, not to the product. */
const isTestServerTool = (argv: string): boolean => argv.includes('radosgw-admin');

/** @param tempRoot TMPDIR of the stages */
export async function watchSecrets(tempRoot: string): Promise<SecretWatch> {
  const { CanaryRun, sweepTemp, watchArgvLong } = await import('@rahatback/testing');
  const folder = mkdtempSync(join(tmpdir(), 'rahatback-canaries-'));
  const run = CanaryRun.begin(folder);
  const argv = watchArgvLong(run.inText, isTestServerTool);
  const temp = sweepTemp(run, tempRoot);
  let rest = '';
  return {
    env: { RAHAT_CANARIES: folder },
    output(text) {
      const lines = (rest + text.toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      if (lines.length > 0) run.add('logs', lines.length, run.inText.find(lines.join('\n'), 'what the tests print'));
    },
    async end() {
      const { processes, hits } = argv.stop();
      run.add('argv', processes, hits);
      await temp.stop();
      await run.lookInFolder(tempRoot, 'what is left of the temporary folder');
      const summary = run.summary();
      rmSync(folder, { recursive: true, force: true });
      const seen = summary.map(({ channel, seen: count, hits: found }) => `${channel} ${count} (${found.length})`);
      process.stdout.write(`clear secrets looked for in, and found: ${seen.join(', ')}\n`);
      const leaks = summary.flatMap(({ channel, hits: found }) =>
        found.map(({ kind, form, place }) => `${kind} (${form}) in ${channel}: ${place}`),
      );
      const blind = summary.filter(({ seen: count }) => count === 0);
      return [...leaks, ...blind.map(({ channel }) => `nothing was looked at in ${channel}`)];
    },
  };
}
