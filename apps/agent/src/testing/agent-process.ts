import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';

const ENTRY = join(__dirname, '../../dist/main.js');

export interface CliAnswer {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The compiled CLI as a process, with nothing of this process' environment but what is given. */
export class AgentProcess {
  #stdout = '';
  #stderr = '';
  readonly #child: ChildProcess;
  readonly ended: Promise<CliAnswer>;

  constructor(home: string, args: readonly string[], env: Readonly<Record<string, string>> = {}, input?: string) {
    if (!existsSync(ENTRY)) throw new Error('The agent is not built: run nx build @rahatback/agent first.');
    // The temporary folder is the test run's own: what is left in it shows.
    const { PATH = '', TMPDIR } = process.env;
    this.#child = spawn(process.execPath, [ENTRY, ...args], {
      env: { PATH, ...(TMPDIR ? { TMPDIR } : {}), RAHATBACK_AGENT_HOME: home, ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.#stdout += chunk.toString('latin1')));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
    this.#child.stdin?.end(input);
    this.ended = once(this.#child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get output(): string {
    return this.#stdout + this.#stderr;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }
}

export const runAgent = (
  home: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input?: string,
): Promise<CliAnswer> => new AgentProcess(home, args, env, input).ended;
