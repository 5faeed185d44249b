import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface SmallDisk {
  /** Its mount point. */
  readonly path: string;
  /** Takes all its room but `leaveBytes` (0). May run again: takes what has become free since. */
  fill(leaveBytes?: number): void;
  /** Gives back what `fill` took. */
  free(): void;
  /** Detaches it; open files live on until they are closed. May run twice. */
  unmount(): void;
}

const FILLER = '.filler';
const PIECE = Buffer.alloc(64 * 1024);

function takeRoom(path: string, leaveBytes: number): void {
  const file = openSync(path, 'a', 0o600);
  let sizeBytes = 0;
  try {
    for (;;) sizeBytes += writeSync(file, PIECE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    if (leaveBytes > 0) ftruncateSync(file, Math.max(0, sizeBytes - leaveBytes));
  } finally {
    closeSync(file);
  }
}

/**
 * A file system of its own, in memory, that is soon full, mounted at `path` (made when it is not there).
 * @returns undefined where this user may not mount one: says so as NOT PROVEN with what `proves`, and the test has to pass without it
 */
export function mountSmallDisk(path: string, sizeMb: number, proves: string): SmallDisk | undefined {
  mkdirSync(path, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMb}m,mode=0755`, 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    process.stdout.write(`NOT PROVEN: ${proves}: this user may not mount a disk\n`);
    return undefined;
  }
  let isMounted = true;
  const filler = join(path, FILLER);
  return {
    path,
    fill: (leaveBytes = 0) => takeRoom(filler, leaveBytes),
    free: () => rmSync(filler, { force: true }),
    unmount() {
      if (isMounted) execFileSync('umount', ['-l', path]);
      isMounted = false;
    },
  };
}
