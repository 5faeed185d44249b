import { Injectable } from '@nestjs/common';
import type { Confirmed } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { CommandOutbox, CommandReplies, type CommandRow } from '../agents/index.js';
import { fieldsOf, uuidOf } from '../backups/index.js';
import { ReportedCommands } from './reported-commands.js';
import { drainedOf, errorOf, findingsOf } from './restore-frames.js';
import type { SwapDeed } from './swap-commands.service.js';
import { SwapSettlement } from './swap-settlement.service.js';

/** The answers of agents to preflights, swaps, undos and discards. */
@Injectable()
export class ShortReports {
  constructor(
    private readonly reported: ReportedCommands,
    private readonly outbox: CommandOutbox,
    private readonly replies: CommandReplies,
    private readonly swaps: SwapSettlement,
  ) {}

  preflight(agent: AgentSession, message: unknown): Promise<Confirmed> {
    const error = errorOf(message);
    const result = error === null ? { findings: findingsOf(message) } : { error: error.toBody() };
    return this.reported.take(agent, message, 'restore:preflight', async (tx, command) => {
      if (await this.outbox.markEnded(tx, command.id, error === null ? 'succeeded' : 'failed', result)) {
        this.replies.announce(tx, command.id);
      }
    });
  }

  preflightEnded(tx: Tx, command: CommandRow): Promise<void> {
    this.replies.announce(tx, command.id);
    return Promise.resolve();
  }

  swap(deed: SwapDeed, agent: AgentSession, message: unknown): Promise<Confirmed> {
    const error = errorOf(message);
    const restoreId = uuidOf(fieldsOf(message)['restoreId'], 'restoreId');
    const drained = error !== null || deed === 'discard' ? 0 : drainedOf(message);
    return this.reported.take(agent, message, `restore:${deed}`, async (tx, command) => {
      if ((command.payload as { restoreId: string }).restoreId !== restoreId) {
        throw new AppError('WS_BAD_FRAME', 'The message is not understood: it is about another restore.');
      }
      await this.swaps.reported(tx, command, error, drained);
    });
  }
}
