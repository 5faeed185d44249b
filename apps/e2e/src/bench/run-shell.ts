import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { ProcessMeter, type Usage } from './process-meter.js';

export interface ShellRun extends Usage {
  readonly wallSeconds: number;
  readonly stdout: string;
}

/** The process groups of shells that run now. */
const running = new Set<number>();

/** Ends every shell that still runs, with its whole pipeline. */
export function killShells(): void {
  for (const pid of running) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // ended meanwhile
    }
  }
}

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const piece of stream) text += String(piece);
  return text;
}

/** Seconds of the last line of bash's `times`: all children that ended, user and system. */
function childSeconds(times: string): number {
  const last = times.trim().split('\n').at(-1) ?? '';
  return [...last.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  );
}

/** A command that counts as the tool: its processor time is said apart. `times` is of the subshell, so it is the command's alone. */
export const asTool = (command: string): string => `(${command}; code=$?; times >&4; exit $code)`;

/**
 * Runs one pipeline or an &&-list of bash as a user would type it, with `pipefail`. Secrets go through `env` alone: arguments are public on a machine.
 * @throws Error with the end of stderr when any command of a pipeline fails
 */
export async function runShell(script: string, env: Readonly<Record<string, string>>): Promise<ShellRun> {
  const lines = ['set -uo pipefail', 'run() {', script, '}', 'code=0; run || code=$?', 'times >&3', 'exit $code'];
  const start = performance.now();
  const child = spawn('bash', ['--noprofile', '--norc', '-c', lines.join('\n')], {
    env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent', TMPDIR: process.env.TMPDIR ?? '/tmp', LC_ALL: 'C.UTF-8', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const pid = child.pid ?? 0;
  running.add(pid);
  const meter = new ProcessMeter([pid]);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  try {
    const texts = Promise.all(child.stdio.slice(1).map((stream) => textOf(stream as Readable)));
    const code = await ended;
    const wallSeconds = (performance.now() - start) / 1000;
    const { peakRssBytes } = meter.stop();
    const [stdout = '', stderr = '', all = '', tool = ''] = await texts;
    if (code !== 0) throw new Error(`The command ended with ${code ?? 'a signal'}:\n${script}\n${stderr.slice(-2000)}`);
    return { wallSeconds, stdout, peakRssBytes, cpuSeconds: childSeconds(all), toolCpuSeconds: childSeconds(tool) };
  } finally {
    meter.stop();
    running.delete(pid);
  }
}
