import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentView, EnrolCodeView } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import { ProductProcess } from './product-process.js';
import type { RestClient } from './rest-client.js';
import { packageDir } from './server-side.js';

export interface CliAnswer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface AgentOptions {
  readonly name: string;
  /** The agent's own folder: keys, journal, policy. */
  readonly home: string;
  readonly logDir: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** An agent as its operator sees it: the compiled CLI, and the daemon as a process. */
export class AgentSide {
  readonly daemon: ProductProcess;
  private readonly entry = join(packageDir('@rahatback/agent'), 'dist/main.js');

  constructor(private readonly options: AgentOptions) {
    this.daemon = new ProductProcess({
      name: options.name,
      entry: this.entry,
      args: ['run'],
      env: this.env(),
      logDir: options.logDir,
    });
  }

  get home(): string {
    return this.options.home;
  }

  private env(): Record<string, string> {
    return { RAHATBACK_AGENT_HOME: this.options.home, ...this.options.env };
  }

  /** Runs one CLI command to its end. `env` carries what must not be an argument. */
  cli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliAnswer> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [this.entry, ...args], {
        env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/', TMPDIR: tmpdir(), ...this.env(), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
      child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, stdout, stderr }));
    });
  }

  /** @throws Error with the command's own words when it fails */
  async mustRun(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    const { code, stdout, stderr } = await this.cli(args, env);
    if (code !== 0) throw new Error(`rahatback-agent ${args[0] ?? ''} ended with ${code ?? 'a signal'}:\n${stderr}${stdout}`);
    return stdout;
  }

  /** Asks the server for a code and enrols with it. Returns what the agent printed (its six words among it). */
  async enrol(person: RestClient, serverUrl: string): Promise<string> {
    const { code } = await person.call<EnrolCodeView>('POST', '/v1/agents/enrol-codes', {});
    return this.mustRun(['enroll', code, '--server', serverUrl, '--name', this.options.name]);
  }
}

/** Waits until the server calls the agent online, and returns it. */
export async function waitOnline(person: RestClient, deviceName: string): Promise<AgentView> {
  return waitFor(
    async () => {
      const { results } = await person.call<{ results: AgentView[] }>('GET', '/v1/agents?limit=100');
      return results.find((agent) => agent.deviceName === deviceName && agent.status === 'online');
    },
    { timeoutMs: 30_000, describe: `agent ${deviceName} to be online` },
  );
}
