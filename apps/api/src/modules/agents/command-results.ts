import { Injectable } from '@nestjs/common';
import type { CommandType, ErrorBody } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import type { CommandRow } from './command.entity.js';

/**
 * How a command ended without a report of its own type: the agent refused it, nobody took it in time, it was called off (a revoked agent), or the
 * agent no longer knows it (`failed`, AGENT_RESTARTED).
 */
export interface CommandOutcome {
  readonly state: 'refused' | 'expired' | 'cancelled' | 'failed';
  readonly message: { readonly error: ErrorBody };
}

/** Runs in the transaction that ends the command, once per command; `command` already carries its final state. */
export type CommandResultHandler = (tx: Tx, command: CommandRow, outcome: CommandOutcome) => Promise<void>;

/** Where the modules that send commands say what becomes of their rows when a command ends unexecuted. */
@Injectable()
export class CommandResults {
  private readonly handlers = new Map<CommandType, CommandResultHandler>();

  /** Called once per type, in `onModuleInit`. */
  onResult(type: CommandType, handler: CommandResultHandler): void {
    if (this.handlers.has(type)) throw new Error(`${type} already has a result handler`);
    this.handlers.set(type, handler);
  }

  async deliver(tx: Tx, command: CommandRow, outcome: CommandOutcome): Promise<void> {
    await this.handlers.get(command.type)?.(tx, command, outcome);
  }
}
