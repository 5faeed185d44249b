import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A disk of its own that is soon full, mounted at `path`; null where this process may not mount one. */
export async function smallDisk(path: string, sizeBytes: number): Promise<{ path: string; remove: () => Promise<void> } | null> {
  await mkdir(path, { recursive: true });
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes},mode=0700`, 'tmpfs', path]);
  } catch {
    return null;
  }
  return {
    path,
    remove: async () => {
      await run('umount', ['-l', path]);
    },
  };
}
