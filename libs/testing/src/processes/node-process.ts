import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { waitFor } from '../wait-for.js';
import { descendantsOf, processesWithMarker, type ProcessEntry } from './process-tree.js';

const READY_TIMEOUT_MS = 30_000;
const MARKER = 'RAHAT_TEST_PROCESS';

export interface NodeProcessSpec {
  /** Script that Node runs. */
  readonly entry: string;
  readonly args?: readonly string[];
  /** Added to PATH, HOME, LANG and TMPDIR: nothing else of our environment is passed on. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** stdout and stderr are appended here, so that a restarted process continues its log. */
  readonly logPath: string;
  /** The process is ready when its own part of the log has a line that matches. Without it, it is ready at once. */
  readonly readyLine?: RegExp;
  readonly readyTimeoutMs?: number;
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface NodeProcess {
  readonly pid: number;
  readonly logPath: string;
  /** How it ended; pends while it runs. */
  readonly ended: Promise<ProcessEnd>;
  hasEnded(): boolean;
  /** What this process wrote so far (not what an earlier process wrote into the same file). */
  log(): Promise<string>;
  /** Sends the signal and returns at once. A process that has ended is left alone. */
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, after `graceMs` (10,000) SIGKILL. May run twice. */
  stop(graceMs?: number): Promise<ProcessEnd>;
  /** SIGKILL to the process alone, as the kernel's OOM killer does: its children must fend for themselves. */
  kill(): Promise<ProcessEnd>;
  /** Its living children, also those that init has adopted since. */
  children(): ProcessEntry[];
  /** Resolves when no child is left. @throws Error listing the children that stay */
  assertNoChildLeft(timeoutMs?: number): Promise<void>;
}

const inherited = (): Record<string, string> =>
  Object.fromEntries(
    ['PATH', 'HOME', 'LANG', 'TMPDIR', 'RAHAT_TEST_RUN', 'RAHAT_CANARIES'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

function spawnNode(spec: NodeProcessSpec, marker: string): ChildProcess {
  const log = openSync(spec.logPath, 'a');
  try {
    return spawn(process.execPath, [spec.entry, ...(spec.args ?? [])], {
      cwd: spec.cwd,
      env: { ...inherited(), ...spec.env, [MARKER]: marker },
      stdio: ['ignore', log, log],
    });
  } finally {
    closeSync(log);
  }
}

const endOf = (child: ChildProcess): Promise<ProcessEnd> =>
  new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });

const sizeOf = async (path: string): Promise<number> => (await readFile(path).catch(() => Buffer.alloc(0))).length;

async function assertNoChild(children: () => ProcessEntry[], timeoutMs: number): Promise<void> {
  await waitFor(() => children().length === 0, { describe: 'all children to end', timeoutMs }).catch((cause: unknown) => {
    const left = children().map(({ pid, argv }) => `${pid} ${argv.join(' ')}`);
    throw new Error(`Children left behind: ${left.join('; ')}`, { cause });
  });
}

async function waitUntilReady(started: NodeProcess, spec: NodeProcessSpec): Promise<void> {
  const { readyLine } = spec;
  if (!readyLine) return;
  const timeoutMs = spec.readyTimeoutMs ?? READY_TIMEOUT_MS;
  const probe = async (): Promise<boolean> => readyLine.test(await started.log()) || started.hasEnded();
  try {
    await waitFor(probe, { describe: `${spec.entry} to write ${readyLine.source}`, timeoutMs });
    if (!readyLine.test(await started.log())) throw new Error(`${spec.entry} ended before it was ready`);
  } catch (cause) {
    await started.kill();
    throw new Error(`${String(cause)}\n${(await started.log()).slice(-2_000)}`, { cause });
  }
}

/**
 * Starts a Node program as a process of its own and waits until it is ready.
 * @throws Error with the end of its log when it ends first or does not become ready in time (it is killed then)
 */
export async function startNodeProcess(spec: NodeProcessSpec): Promise<NodeProcess> {
  const marker = randomUUID();
  const logStart = await sizeOf(spec.logPath);
  const child = spawnNode(spec, marker);
  let over = false;
  const ended = endOf(child).then((end) => {
    over = true;
    return end;
  });
  const pid = child.pid ?? 0;
  const kill = async (): Promise<ProcessEnd> => {
    if (!over) child.kill('SIGKILL');
    return ended;
  };
  // By the marker, because a child of a dead process belongs to init; by parent too, because a program may clear its child's environment.
  const children = (): ProcessEntry[] => {
    const marked = processesWithMarker(MARKER, marker).filter((entry) => entry.pid !== pid);
    const known = new Set(marked.map((entry) => entry.pid));
    return [...marked, ...(over ? [] : descendantsOf(pid).filter((entry) => !known.has(entry.pid)))];
  };
  const started: NodeProcess = {
    pid,
    logPath: spec.logPath,
    ended,
    kill,
    children,
    hasEnded: () => over,
    log: async () => (await readFile(spec.logPath)).subarray(logStart).toString('utf8'),
    signal: (signal) => {
      if (!over) child.kill(signal);
    },
    async stop(graceMs = 10_000) {
      if (!over) child.kill('SIGTERM');
      await waitFor(() => over, { describe: `process ${pid} to end`, timeoutMs: graceMs }).catch(kill);
      return ended;
    },
    assertNoChildLeft: (timeoutMs = 5_000) => assertNoChild(children, timeoutMs),
  };
  await waitUntilReady(started, spec);
  return started;
}
