import { readdirSync, readFileSync } from 'node:fs';
import { waitFor } from '../wait-for.js';

export interface ProcessEntry {
  readonly pid: number;
  readonly parentPid: number;
  /** One letter of proc(5): Z is a zombie. */
  readonly state: string;
  readonly argv: readonly string[];
}

/** A process may end between two reads: every read of /proc may fail, and means "gone". */
function readProc(pid: number, file: string): Buffer | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`);
  } catch {
    return undefined;
  }
}

const splitNul = (bytes: Buffer): string[] => bytes.toString('utf8').split('\0').filter(Boolean);

function entryOf(pid: number): ProcessEntry | undefined {
  const stat = readProc(pid, 'stat')?.toString('utf8');
  const argv = readProc(pid, 'cmdline');
  if (stat === undefined || argv === undefined) return undefined;
  // The command's name stands in parentheses and may hold spaces or parentheses itself.
  const [state, parentPid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { pid, parentPid: Number(parentPid), state: state ?? '?', argv: splitNul(argv) };
}

export const listPids = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** Undefined for a process that is gone. */
export function readArgv(pid: number): string[] | undefined {
  const bytes = readProc(pid, 'cmdline');
  return bytes && splitNul(bytes);
}

/** All living processes (zombies left out), from /proc. */
export function listProcesses(): ProcessEntry[] {
  return listPids()
    .map(entryOf)
    .filter((entry) => entry !== undefined)
    .filter((entry) => entry.state !== 'Z' && entry.state !== 'X');
}

/** Children, grandchildren and so on of a process, itself not. */
export function descendantsOf(pid: number, all: readonly ProcessEntry[] = listProcesses()): ProcessEntry[] {
  const children = all.filter((entry) => entry.parentPid === pid);
  return [...children, ...children.flatMap((child) => descendantsOf(child.pid, all))];
}

/** Processes whose environment at their start held `name=value`: finds orphans that were re-parented to init. */
export function processesWithMarker(name: string, value: string): ProcessEntry[] {
  const wanted = `${name}=${value}`;
  return listProcesses().filter((entry) => {
    const environment = readProc(entry.pid, 'environ');
    return environment !== undefined && splitNul(environment).includes(wanted);
  });
}

/** Whether the process runs (a zombie does not). */
export function isAlive(pid: number): boolean {
  const entry = entryOf(pid);
  return entry !== undefined && entry.state !== 'Z' && entry.state !== 'X';
}

function sendKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone already
  }
}

/** SIGKILLs a process and its descendants, and returns when none of them runs. May run twice. */
export async function killTree(pid: number): Promise<void> {
  const pids = [pid, ...descendantsOf(pid).map((entry) => entry.pid)];
  pids.forEach(sendKill);
  await waitFor(() => !pids.some(isAlive), { describe: `process ${pid} and its children to end`, timeoutMs: 10_000 });
}
