import { sayLine } from '../demo/watch.js';
import { tempDir } from '@rahatback/testing';
import type { Cleanup } from './bench-world.js';
import { benchApi } from './api.js';
import { benchIncremental } from './incremental.js';
import { loadNow } from './machine.js';
import { benchMemory } from './memory.js';
import { parseOptions, type BenchOptions } from './options.js';
import { benchPipeline } from './pipeline.js';
import { benchRestore } from './restore.js';
import { killShells } from './run-shell.js';

const cleanups: Cleanup[] = [];
let isCleaning: Promise<void> | undefined;

/** Ends and removes everything that was started, in reverse order. Runs once, whoever asks. */
function cleanUp(): Promise<void> {
  isCleaning ??= (async () => {
    killShells();
    for (const cleanup of cleanups.reverse())
      await cleanup().catch((error: unknown) => sayLine(`While cleaning up: ${String(error)}`));
  })();
  return isCleaning;
}

function interrupted(): void {
  sayLine('Interrupted: cleaning up …');
  cleanUp().then(
    () => process.exit(130),
    () => process.exit(130),
  );
}

function bench(options: BenchOptions, home: string): Promise<object> {
  if (options.subject === 'incremental') return benchIncremental(options, home, cleanups);
  if (options.subject === 'restore') return benchRestore(options, home, cleanups);
  if (options.subject === 'api') return benchApi(options, cleanups);
  if (options.memoryGb === null) return benchPipeline(options, home, cleanups);
  return benchMemory(options.memoryGb, options, cleanups, home);
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  const home = await tempDir('rahatback-bench-');
  cleanups.push(() => home.remove());
  try {
    const result = await bench(options, home.path);
    await cleanUp();
    sayLine(`load at the end: ${loadNow()}`);
    sayLine(JSON.stringify(result));
    return 0;
  } finally {
    await cleanUp();
  }
}

process.once('SIGINT', interrupted);
process.once('SIGTERM', interrupted);
main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    sayLine(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  },
);
