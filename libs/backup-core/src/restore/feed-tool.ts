import type { RunningTool, ToolExit } from '../process/spawn-tool.js';

/** What is collected for one write: a dump comes in many small pieces. */
const BLOCK_BYTES = 256 * 1024;

/** The tool ended while it was still being fed. */
export class ToolEndedEarly extends Error {
  constructor(readonly exit: ToolExit) {
    super('The tool ended before it had read everything.');
    this.name = 'ToolEndedEarly';
  }
}

/**
 * Writes to a tool's stdin, in large blocks and with its back-pressure: one block is filled while the one before is written. What is given is copied,
 * and may be used again at once. Once the tool has ended, `write` throws instead of waiting for ever.
 */
export class ToolFeeder {
  private ended: ToolExit | null = null;
  private readonly whenEnded: Promise<ToolExit>;
  private block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  private spare = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  private filled = 0;
  private writing: Promise<void> | null = null;
  private blockIsFree = (): void => undefined;

  constructor(private readonly tool: RunningTool) {
    this.whenEnded = tool.exit.then((exit) => {
      this.ended = exit;
      this.blockIsFree();
      return exit;
    });
  }

  /** @throws ToolEndedEarly */
  async write(bytes: Buffer): Promise<void> {
    for (let from = 0; from < bytes.length;) {
      const count = bytes.copy(this.block, this.filled, from);
      from += count;
      this.filled += count;
      if (this.filled === BLOCK_BYTES) await this.flush();
    }
  }

  /** Begins to write what was collected. @throws ToolEndedEarly */
  async flush(): Promise<void> {
    await this.writing;
    if (this.ended) throw new ToolEndedEarly(this.ended);
    if (this.tool.stdin.destroyed) throw new ToolEndedEarly(await this.whenEnded);
    if (this.filled === 0) return;
    this.writing = this.written(this.block.subarray(0, this.filled));
    [this.block, this.spare, this.filled] = [this.spare, this.block, 0];
  }

  /** Writes the rest, closes stdin and waits for the end. */
  async finish(): Promise<ToolExit> {
    try {
      await this.flush();
    } catch (error) {
      if (error instanceof ToolEndedEarly) return error.exit;
      throw error;
    }
    this.tool.stdin.end();
    return this.whenEnded;
  }

  /** The block has left this program, or nobody will read it any more. */
  private written(block: Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.blockIsFree = resolve;
      this.tool.stdin.write(block, () => resolve());
    });
  }
}
