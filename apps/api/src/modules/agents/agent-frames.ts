import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { Confirmed } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import { AgentMessageRouter } from '../../platform/realtime/agent-message-router.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { AuditTrail } from '../audit/index.js';
import { AgentHeartbeat } from './agent-heartbeat.js';
import { AgentJournal } from './agent-journal.js';
import { AgentSessions } from './agent-sessions.js';
import { CommandOutbox } from './command-outbox.js';
import { CommandRow } from './command.entity.js';
import { countOf, errorOf, fieldsOf, uuidOf } from './frame-fields.js';

/** Which frames of an agent this module answers. */
@Injectable()
export class AgentFrames implements OnModuleInit {
  constructor(
    private readonly router: AgentMessageRouter,
    private readonly database: Database,
    private readonly sessions: AgentSessions,
    private readonly journal: AgentJournal,
    private readonly heartbeat: AgentHeartbeat,
    private readonly outbox: CommandOutbox,
    private readonly audit: AuditTrail,
  ) {}

  onModuleInit(): void {
    this.router.setAuthenticator(this.sessions);
    this.router.on('agent:journal', (session, entries) => this.journal.reconcile(session, entries));
    this.router.on('heartbeat', (session, message) => this.heartbeat.beat(session, message));
    this.router.on('command:refused', (session, message) => this.refused(session, message));
  }

  /** Always confirmed: what we do not know, or have settled already, the agent need not keep. */
  private refused(session: AgentSession, message: unknown): Promise<Confirmed> {
    const fields = fieldsOf(message);
    const commandId = uuidOf(fields, 'commandId');
    const fence = countOf(fields, 'fence');
    const error = errorOf(fields['error']);
    return this.database.inWorkspace(session.workspaceId, async (tx) => {
      const command = await tx.findOneBy(CommandRow, { id: commandId, agentId: session.agentId, fence });
      if (!command) return { confirmed: true };
      const isEnded = await this.outbox.settle(tx, command, { state: 'refused', message: { error } });
      if (isEnded) {
        await this.audit.record(tx, {
          workspaceId: session.workspaceId,
          actor: { agentId: session.agentId },
          action: 'command.refused',
          targetType: 'command',
          targetId: commandId,
          outcome: 'failure',
          detail: { type: command.type, code: error.code },
        });
      }
      return { confirmed: true };
    });
  }
}
