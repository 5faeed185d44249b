import type { AgentLog } from '../log.js';
import type { AgentHome } from '../state/agent-home.js';
import { writeStatus, type DaemonStatus } from '../state/status.store.js';

/** Keeps the status file up to date: one write at a time, and only the newest of what waits. */
export class StatusWriter {
  #next: DaemonStatus | undefined;
  #writing: Promise<void> | undefined;

  constructor(
    private readonly home: AgentHome,
    private readonly log: AgentLog,
  ) {}

  set(status: DaemonStatus): void {
    this.#next = status;
    this.#writing ??= this.#drain().finally(() => (this.#writing = undefined));
  }

  async settled(): Promise<void> {
    await this.#writing;
  }

  async #drain(): Promise<void> {
    while (this.#next !== undefined) {
      const status = this.#next;
      this.#next = undefined;
      // A status that cannot be written must not stop a backup.
      await writeStatus(this.home, status).catch((error: unknown) =>
        this.log.warn({ err: error }, 'The status file cannot be written'),
      );
    }
  }
}
