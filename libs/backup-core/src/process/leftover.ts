import { readFileSync } from 'node:fs';

/** Names one process for ever: a pid alone is used again by the system. */
export interface ProcessRecord {
  readonly pid: number;
  /** Clock ticks from boot to its start (proc(5), stat field 22); null where there is no /proc. */
  readonly startTicks: string | null;
}

/** Start time of a process as /proc has it, or null when there is no such process (a zombie counts as none). */
export function startTicksOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the name in parentheses and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

/**
 * Ends a child that an earlier life of this program left behind, with its whole process group. True when it was there. Does nothing to
 * another process that has the same pid by now. May run twice.
 */
export function killLeftover({ pid, startTicks }: ProcessRecord): boolean {
  if (startTicks === null || pid <= 1 || startTicksOf(pid) !== startTicks) return false;
  return killGroup(pid, 'SIGKILL');
}

/** Signals the process group that `pid` leads; false when it is gone. */
export function killGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}
