import type { Readable, Writable } from 'node:stream';
import type { AgentConfig } from '../config/agent-config.js';
import type { AgentHome } from '../state/agent-home.js';

/** What a command may touch of the outside. */
export interface CliContext {
  readonly config: AgentConfig;
  readonly home: AgentHome;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  /** Aborted by Ctrl-C or a stop of the service. */
  readonly signal: AbortSignal;
  /** Sets what the process answers when it ends in peace. */
  setExitCode(code: number): void;
}

export const print = (context: CliContext, ...lines: readonly string[]): void => {
  for (const line of lines) context.stdout.write(`${line}\n`);
};

/** For people: goes to standard error, so that what a program reads stays clean. */
export const note = (context: CliContext, ...lines: readonly string[]): void => {
  for (const line of lines) context.stderr.write(`${line}\n`);
};

export const printJson = (context: CliContext, value: unknown): void => print(context, JSON.stringify(value));
