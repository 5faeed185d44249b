import { spawn } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { killTree } from '../processes/process-tree.js';
import { waitFor } from '../wait-for.js';
import type { Command } from './unprivileged.js';

export interface ServerProcess {
  readonly pid: number;
  /** Resolves when the process has ended, however it ended. */
  readonly ended: Promise<void>;
  hasEnded(): boolean;
  /** Asks with `signal`, then kills the whole tree when it has not ended after `graceMs`. May run twice. */
  end(signal: NodeJS.Signals, graceMs?: number): Promise<void>;
  /** SIGKILL to the process and all its descendants, as a power cut would. May run twice. */
  kill(): Promise<void>;
}

/** Starts a server with stdout and stderr appended to `logPath`. */
export function spawnServer(command: Command, options: { cwd: string; logPath: string; env?: NodeJS.ProcessEnv }): ServerProcess {
  const log = openSync(options.logPath, 'a');
  const child = spawn(command.binary, [...command.args], {
    cwd: options.cwd,
    env: { PATH: process.env.PATH, RAHAT_TEST_RUN: process.env.RAHAT_TEST_RUN, ...options.env },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  let over = false;
  const ended = new Promise<void>((resolve) => {
    const finish = (): void => {
      over = true;
      resolve();
    };
    child.once('exit', finish);
    child.once('error', finish);
  });
  const pid = child.pid ?? 0;
  const kill = async (): Promise<void> => {
    if (!over && pid > 0) await killTree(pid);
    await ended;
  };
  const end = async (signal: NodeJS.Signals, graceMs = 10_000): Promise<void> => {
    if (!over) child.kill(signal);
    await waitFor(() => over, { describe: `server ${pid} to end`, timeoutMs: graceMs }).catch(kill);
  };
  return { pid, ended, hasEnded: () => over, end, kill };
}

/**
 * Waits until `probe` answers true.
 * @throws Error with the end of the server's own log when it ends or does not answer in time
 */
export async function waitUntilReady(
  server: ServerProcess,
  probe: () => Promise<boolean>,
  options: { name: string; logPath: string; timeoutMs: number },
): Promise<void> {
  try {
    const state = await waitFor(async () => (server.hasEnded() ? 'ended' : (await probe()) && 'ready'), {
      describe: `${options.name} to answer`,
      timeoutMs: options.timeoutMs,
    });
    if (state === 'ended') throw new Error(`${options.name} ended while starting`);
  } catch (cause) {
    await server.kill();
    const log = await readFile(options.logPath, 'utf8').catch(() => '');
    throw new Error(`${String(cause)}\n${log.slice(-2_000)}`, { cause });
  }
}
