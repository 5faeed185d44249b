import { AppError } from '@rahatback/contracts';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { killGroup, startTicksOf, type ProcessRecord } from './leftover.js';
import { OutputTail } from './stderr-tail.js';

/** A program to run, as data. Secrets only in `env`. */
export interface ToolCommand {
  readonly binary: string;
  readonly args: readonly string[];
  /** The whole environment: nothing of our own is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Default: the folder that this program runs in. */
  readonly cwd?: string;
}

export interface SpawnOptions {
  readonly signal: AbortSignal;
  /** Taken out of everything that is kept of its output. */
  readonly secrets: readonly string[];
  /** Told as soon as the process is there, so that a later life of this program can end it. */
  readonly onSpawn?: (record: ProcessRecord) => void;
}

export interface ToolExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningTool {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when the process has ended and its output is closed; never rejects. */
  readonly exit: Promise<ToolExit>;
  /** The last 64 KiB of stderr, redacted. */
  errorTail(): string;
  /** SIGTERM to the whole group, SIGKILL after two seconds. Resolves when it has ended. May run twice. */
  kill(): Promise<void>;
}

const TERM_GRACE_MS = 2_000;
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'];

/** `setpriv --pdeathsig KILL` (util-linux) makes the child die with us even when we are killed; without it the pid record has to do. */
function dyingWithUs({ binary, args }: ToolCommand): { binary: string; args: string[] } {
  const setpriv = process.platform === 'linux' ? SETPRIV.find((path) => existsSync(path)) : undefined;
  return setpriv ? { binary: setpriv, args: ['--pdeathsig', 'KILL', '--', binary, ...args] } : { binary, args: [...args] };
}

function whenSpawned(child: ChildProcess, binary: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid ?? 0));
    child.once('error', (cause) => {
      reject(
        new AppError(
          'TOOL_MISSING',
          `${binary} cannot be started: ${cause.message}. Install it or check its rights.`,
          undefined,
          { cause },
        ),
      );
    });
  });
}

/**
 * Ends what the tool left in its group when it ended itself, and that held none of its pipes. The group's number is still theirs: it is given to
 * nobody while one of them lives, and a process that had got it since would be found under it.
 */
function killOrphans(pid: number): void {
  if (startTicksOf(pid) === null) killGroup(pid, 'SIGKILL');
}

/**
 * Ends the group. The leader's pid is not signalled once it has been waited for, with one exception: while its pipes are still open somebody of its
 * group lives, so the number cannot have been given to others.
 */
function killerOf(child: ChildProcess, pid: number, exit: Promise<ToolExit>): () => Promise<void> {
  let closed = false;
  child.once('close', () => {
    closed = true;
  });
  return async () => {
    if (!closed) killGroup(pid, 'SIGTERM');
    const timer = setTimeout(() => {
      if (!closed) killGroup(pid, 'SIGKILL');
    }, TERM_GRACE_MS);
    // Unread output would keep the pipe, and with it the end, open for ever.
    child.stdout?.resume();
    await exit;
    clearTimeout(timer);
  };
}

/**
 * Starts a program: no shell, its own process group, stderr kept. An abort of `signal` kills the group.
 * @throws AppError TOOL_MISSING; the signal's reason when it is already aborted
 */
export async function spawnTool(command: ToolCommand, { signal, secrets, onSpawn }: SpawnOptions): Promise<RunningTool> {
  signal.throwIfAborted();
  if (!existsSync(command.binary))
    throw new AppError('TOOL_MISSING', `${command.binary} is not there any more. Install it again.`);
  const { binary, args } = dyingWithUs(command);
  const { env, cwd } = command;
  const child = spawn(binary, args, { shell: false, detached: true, stdio: 'pipe', env, cwd, windowsHide: true });
  const exit = new Promise<ToolExit>((resolve) => {
    child.once('close', (code, killedBy) => {
      if (child.pid !== undefined) killOrphans(child.pid);
      resolve({ code, signal: killedBy });
    });
    child.once('error', () => resolve({ code: null, signal: null }));
  });
  const tail = new OutputTail(secrets);
  child.stderr.on('data', (chunk: Buffer) => tail.push(chunk));
  // A broken pipe is seen by whoever writes, and judged by the exit; without a listener it would end this process.
  child.stdin.on('error', () => undefined);
  const pid = await whenSpawned(child, command.binary);
  onSpawn?.({ pid, startTicks: startTicksOf(pid) });
  const kill = killerOf(child, pid, exit);
  const onAbort = (): void => {
    kill().catch(() => undefined);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  exit.then(() => signal.removeEventListener('abort', onAbort)).catch(() => undefined);
  return { stdin: child.stdin, stdout: child.stdout, exit, errorTail: () => tail.text(), kill };
}

/** Runs a small program to its end and answers its stdout (at most 1 MiB). Null when it cannot start or fails. */
export async function outputOf(command: ToolCommand, signal: AbortSignal): Promise<string | null> {
  try {
    const tool = await spawnTool(command, { signal, secrets: [] });
    tool.stdin.end();
    const output = new OutputTail([]);
    tool.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    const { code } = await tool.exit;
    return code === 0 ? output.text() : null;
  } catch {
    return null;
  }
}
