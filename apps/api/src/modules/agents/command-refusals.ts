import { Injectable } from '@nestjs/common';
import type { Confirmed, ErrorBody, ReportBase } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { AuditTrail } from '../audit/index.js';
import { CommandDirectory } from './command-directory.js';
import { CommandOutbox } from './command-outbox.js';
import { errorOf } from './agent-words.js';

/** What an agent would not do: too late, out-fenced, forged, or against its own policy. Each is on record. */
@Injectable()
export class CommandRefusals {
  constructor(
    private readonly database: Database,
    private readonly commands: CommandDirectory,
    private readonly outbox: CommandOutbox,
    private readonly audit: AuditTrail,
  ) {}

  /** Always confirmed: what we do not know, or have settled already, the agent need not keep. */
  take(session: AgentSession, message: ReportBase & { readonly error: ErrorBody }): Promise<Confirmed> {
    const error = errorOf(message.error);
    return this.database.inWorkspace(session.workspaceId, async (tx) => {
      const command = await this.commands.reported(tx, session, message);
      if (!command) return { confirmed: true };
      const isEnded = await this.outbox.settle(tx, command, { state: 'refused', message: { error } });
      if (isEnded) {
        await this.audit.record(tx, {
          workspaceId: session.workspaceId,
          actor: { agentId: session.agentId },
          action: 'command.refused',
          targetType: 'command',
          targetId: command.id,
          outcome: 'failure',
          detail: { type: command.type, code: error.code },
        });
      }
      return { confirmed: true };
    });
  }
}
