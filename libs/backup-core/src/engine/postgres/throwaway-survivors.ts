import { readdirSync, readFileSync } from 'node:fs';

/** In the environment of a throw-away server and all that it starts: the folder that it is in. */
export const THROWAWAY_MARK = 'RAHATBACK_THROWAWAY';

function isMarked(pid: string, mark: Buffer): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`).includes(mark);
  } catch {
    // Gone, or somebody else's.
    return false;
  }
}

/**
 * Ends what a server without processes of its own left: programs that a dump made it start, and that have left its process group. Only where there is
 * a /proc. A program that has wiped its environment is not found. May run twice.
 */
export function killSurvivors(folder: string): void {
  const mark = Buffer.from(`${THROWAWAY_MARK}=${folder}\0`);
  let pids: string[];
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return;
  }
  for (const pid of pids) {
    if (Number(pid) === process.pid || !isMarked(pid, mark)) continue;
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
}
