import { once } from 'node:events';
import type { RunningTool, ToolExit } from '../process/spawn-tool.js';

/** The tool ended while it was still being fed. */
export class ToolEndedEarly extends Error {
  constructor(readonly exit: ToolExit) {
    super('The tool ended before it had read everything.');
    this.name = 'ToolEndedEarly';
  }
}

/** Writes to a tool's stdin with its back-pressure. Once the tool has ended, `write` throws instead of waiting for ever. */
export class ToolFeeder {
  private ended: ToolExit | null = null;
  private readonly whenEnded: Promise<ToolExit>;

  constructor(private readonly tool: RunningTool) {
    this.whenEnded = tool.exit.then((exit) => (this.ended = exit));
  }

  /** @throws ToolEndedEarly */
  async write(bytes: Buffer): Promise<void> {
    if (this.ended) throw new ToolEndedEarly(this.ended);
    if (this.tool.stdin.destroyed) throw new ToolEndedEarly(await this.whenEnded);
    if (this.tool.stdin.write(bytes)) return;
    const waiting = new AbortController();
    const drained = once(this.tool.stdin, 'drain', { signal: waiting.signal }).catch(() => undefined);
    await Promise.race([drained, this.whenEnded]);
    waiting.abort();
    if (this.ended) throw new ToolEndedEarly(this.ended);
  }

  /** Closes stdin and waits for the end. */
  async finish(): Promise<ToolExit> {
    this.tool.stdin.end();
    return this.whenEnded;
  }
}
