import { Injectable } from '@nestjs/common';
import { AppError, TERMINAL_COMMAND_STATES } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import { RedisClients } from '../../platform/queues/redis-clients.js';
import { CommandRow } from './command.entity.js';

/** The answer is read from PostgreSQL this often also when no hint comes. */
const POLL_MS = 1000;
const CHANNEL = 'rahatback:command-ended';

/** Waits for the answer to a command, whichever API process receives it: Redis carries the hint, PostgreSQL the answer. */
@Injectable()
export class CommandReplies {
  private readonly waiting = new Map<string, () => void>();
  private isListening = false;

  constructor(
    private readonly database: Database,
    private readonly redis: RedisClients,
  ) {}

  /** Tells the waiting process, after the caller's commit, that the command has ended. */
  announce(tx: Tx, commandId: string): void {
    this.database.afterCommit(tx, async () => {
      this.waiting.get(commandId)?.();
      // Without Redis the other process finds out by itself within a second.
      await this.redis.general.publish(CHANNEL, commandId).catch(() => 0);
    });
  }

  /**
   * The command's result, as `CommandOutbox.markEnded` stored it: an answer of its own type, or `{ error }`.
   * @throws AppError AGENT_TIMEOUT when it has not ended after `timeoutMs`
   */
  async waitFor(commandId: string, timeoutMs: number): Promise<unknown> {
    this.listen();
    const deadline = performance.now() + timeoutMs;
    try {
      for (;;) {
        // Armed before the look, so that an end in between wakes it.
        const wake = this.nextWake(commandId, Math.min(POLL_MS, deadline - performance.now()));
        const command = await this.database.asSystem('command reply', (tx) => tx.findOneBy(CommandRow, { id: commandId }));
        if (command && TERMINAL_COMMAND_STATES.includes(command.state)) return command.result;
        if (performance.now() >= deadline) {
          throw new AppError(
            'AGENT_TIMEOUT',
            `The agent did not answer within ${Math.round(timeoutMs / 1000)} seconds. See that it is online and not overloaded, then try again.`,
          );
        }
        await wake;
      }
    } finally {
      this.waiting.get(commandId)?.();
      this.waiting.delete(commandId);
    }
  }

  private nextWake(commandId: string, timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, timeoutMs));
      this.waiting.set(commandId, () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** One subscription per process, made when somebody first waits. */
  private listen(): void {
    if (this.isListening) return;
    this.isListening = true;
    const subscriber = this.redis.duplicate('command-replies');
    subscriber.on('message', (_channel, commandId) => this.waiting.get(commandId)?.());
    subscriber.subscribe(CHANNEL).catch(() => {
      this.isListening = false;
    });
  }
}
