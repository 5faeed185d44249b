import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { CanaryRun } from './canary/canary-run.js';

export interface TempDir {
  readonly path: string;
  /** Removes the folder and all in it. May run twice. */
  remove(): Promise<void>;
}

/**
 * A new empty folder under TMPDIR, mode 0700 unless told otherwise. The caller removes it.
 * @param prefix first letters of its name, so that a forgotten folder says who forgot it
 */
export async function tempDir(prefix = 'rahatback-', mode?: number): Promise<TempDir> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  if (mode !== undefined) await chmod(path, mode);
  return { path, remove: () => remove(path) };
}

async function remove(path: string): Promise<void> {
  const run = CanaryRun.current();
  await run?.lookInFolder(path, basename(path));
  run?.flush();
  // A killed server's children may still write for a moment: rm retries on ENOTEMPTY.
  await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}
