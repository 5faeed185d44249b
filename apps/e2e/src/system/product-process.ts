import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startNodeProcess, type NodeProcess, type ProcessEnd } from '@rahatback/testing';

const STOP_AFTER_MS = 20_000;

export interface ProductProcessOptions {
  readonly name: string;
  /** Compiled entry file. */
  readonly entry: string;
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logDir: string;
}

/** One role of the product (an API, a worker, an agent) that may die and be started again, from its compiled files, with one log. */
export class ProductProcess {
  private current: NodeProcess | undefined;
  private end: ProcessEnd | undefined;

  constructor(private readonly options: ProductProcessOptions) {}

  get name(): string {
    return this.options.name;
  }

  get logPath(): string {
    return join(this.options.logDir, `${this.options.name}.log`);
  }

  /** Of the last run; 0 before the first. */
  get pid(): number {
    return this.current?.pid ?? 0;
  }

  isRunning(): boolean {
    return this.current !== undefined && !this.current.hasEnded();
  }

  /** How the last run ended; undefined while it runs. */
  outcome(): ProcessEnd | undefined {
    return this.isRunning() ? undefined : this.end;
  }

  async start(extraEnv: Readonly<Record<string, string>> = {}): Promise<void> {
    if (this.isRunning()) return;
    const { entry, args, env } = this.options;
    const started = await startNodeProcess({
      entry,
      ...(args ? { args } : {}),
      env: { ...env, ...extraEnv },
      logPath: this.logPath,
    });
    this.current = started;
    this.end = undefined;
    started.ended.then(
      (end) => {
        if (this.current === started) this.end = end;
      },
      () => undefined,
    );
  }

  /** Everything that all runs wrote. */
  log(): string {
    try {
      return readFileSync(this.logPath, 'utf8');
    } catch {
      return '';
    }
  }

  /** Resolves when the process has ended, whoever ended it. */
  async wait(): Promise<ProcessEnd | undefined> {
    return this.current?.ended;
  }

  async kill(): Promise<void> {
    await this.current?.kill();
  }

  /** Asks it to end, and makes it after 20 s. */
  async stop(): Promise<void> {
    await this.current?.stop(STOP_AFTER_MS);
  }

  /** Children of the last run that still live, also those that init has adopted. */
  childrenLeft(): string[] {
    return (this.current?.children() ?? []).map(({ pid, argv }) => `${pid} ${argv.slice(0, 3).join(' ')}`);
  }
}
