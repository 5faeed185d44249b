import { Injectable } from '@nestjs/common';
import type { Confirmed, SealedSecret } from '@rahatback/contracts';
import type { AppError } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { AgentDirectory, CommandOutbox, CommandReplies, type CommandRow } from '../agents/index.js';
import { fieldsOf } from '../backups/index.js';
import { handedOver, KeyHandover } from './key-handover.service.js';
import { ReportedCommands } from './reported-commands.js';
import { RestoreCommands } from './restore-commands.service.js';
import { errorOf } from './restore-frames.js';
import { RestoreSettlement } from './restore-settlement.service.js';
import type { RestoreRow } from './restore.entity.js';
import { keyResource, lockRestoreById } from './restore.repository.js';

const KEY_PREFIX = keyResource('');

/** Of a restore that waits for its key; null for a preflight's. */
const restoreIdOf = ({ resource }: Pick<CommandRow, 'resource'>): string | null => {
  const id = resource.slice(KEY_PREFIX.length);
  return id.includes(':') ? null : id;
};

/** What comes of asking another agent for a key: the restore goes on, or ends. */
@Injectable()
export class KeyReports {
  constructor(
    private readonly reported: ReportedCommands,
    private readonly agents: AgentDirectory,
    private readonly outbox: CommandOutbox,
    private readonly replies: CommandReplies,
    private readonly keys: KeyHandover,
    private readonly commands: RestoreCommands,
    private readonly settlement: RestoreSettlement,
  ) {}

  rewrap(agent: AgentSession, message: unknown): Promise<Confirmed> {
    const error = errorOf(message);
    return this.reported.take(agent, message, 'keys:rewrap', async (tx, command) => {
      const { backup } = command.payload as { backup: { backupId: string } };
      const secret = error === null ? handedOver(backup.backupId, fieldsOf(message)['sealed']) : null;
      const restoreId = restoreIdOf(command);
      if (restoreId === null) {
        // Only the agent that it is sealed to opens it.
        const result = secret === null ? { error: error?.toBody() } : { secret };
        await this.outbox.markEnded(tx, command.id, secret === null ? 'failed' : 'succeeded', result);
        this.replies.announce(tx, command.id);
        return;
      }
      const restore = await lockRestoreById(tx, restoreId);
      if (restore?.status === 'running' && restore.fence === command.fence) {
        if (secret === null) await this.refused(tx, restore, error);
        else await this.handOn(tx, restore, { makerId: command.agentId, secret });
      }
      await this.outbox.markEnded(tx, command.id, secret === null ? 'failed' : 'succeeded');
    });
  }

  /** A hand-over that nobody carried out: the restore that waits for it cannot go on. */
  async ended(tx: Tx, command: CommandRow, error: AppError): Promise<void> {
    const restoreId = restoreIdOf(command);
    if (restoreId === null) {
      this.replies.announce(tx, command.id);
      return;
    }
    const restore = await lockRestoreById(tx, restoreId);
    if (restore?.status === 'running' && restore.fence === command.fence) await this.refused(tx, restore, error);
  }

  private async refused(tx: Tx, restore: RestoreRow, error: AppError | null): Promise<void> {
    const code = error?.code ?? 'COMMAND_REFUSED';
    await this.settlement.fail(tx, restore, { code, message: `The key was not handed over. ${error?.message ?? ''}`.trim() });
  }

  private async handOn(tx: Tx, restore: RestoreRow, key: { makerId: string; secret: SealedSecret }): Promise<void> {
    const maker = await this.agents.get(tx, restore.workspaceId, key.makerId);
    await this.commands.keepAlive(tx, restore);
    await this.commands.send(tx, restore, this.keys.keyOf(maker, key.secret));
    await this.settlement.note(tx, restore, 'key handed over', `The agent on ${maker.deviceName} sealed its key to this agent.`);
  }
}
