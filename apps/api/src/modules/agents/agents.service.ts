import { Injectable } from '@nestjs/common';
import type { AgentView, Page, PageQueryDto } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { pageOf } from '../../platform/http/pages.js';
import { AgentChannel } from '../../platform/realtime/agent-channel.js';
import { LiveEvents } from '../../platform/realtime/live-events.js';
import { AuditTrail } from '../audit/index.js';
import { AgentDirectory } from './agent-directory.js';
import { REVOKED } from './agent-revoked.js';
import { toAgentView } from './agent-view.js';
import { AgentRow } from './agent.entity.js';
import { CommandSettlement } from './command-settlement.service.js';
import { ANY_GENERATION } from './session-generation.js';

const words = (typed: string): string =>
  typed
    .trim()
    .toLowerCase()
    .split(/[\s-]+/)
    .join(' ');

/** What people do with agents. */
@Injectable()
export class AgentsService {
  constructor(
    private readonly database: Database,
    private readonly directory: AgentDirectory,
    private readonly channel: AgentChannel,
    private readonly live: LiveEvents,
    private readonly audit: AuditTrail,
    private readonly settlement: CommandSettlement,
  ) {}

  list(actor: Actor, query: PageQueryDto): Promise<Page<AgentView>> {
    const { workspaceId } = actor;
    return this.database.inWorkspace(workspaceId, (tx) =>
      pageOf(query, {
        find: async (skip, take) => {
          const rows = await tx.find(AgentRow, { where: { workspaceId }, order: { createdAt: 'ASC', id: 'ASC' }, skip, take });
          return rows.map((row) => this.view(row));
        },
        countUpTo: () => tx.countBy(AgentRow, { workspaceId }),
      }),
    );
  }

  get(actor: Actor, agentId: string): Promise<AgentView> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) =>
      this.view(await this.directory.get(tx, actor.workspaceId, agentId)),
    );
  }

  /** At once and for good: the session is cut, what was sent to it is called off. Revoking twice is fine. */
  async revoke(actor: Actor, agentId: string): Promise<AgentView> {
    const { workspaceId } = actor;
    const view = await this.database.inWorkspace(workspaceId, async (tx) => {
      const agent = await this.directory.get(tx, workspaceId, agentId);
      if (agent.state !== 'revoked') {
        await tx.update(AgentRow, { id: agentId }, { state: 'revoked', sessionId: null });
        await this.audit.record(tx, { workspaceId, actor, action: 'agent.revoked', targetType: 'agent', targetId: agentId });
      }
      this.database.afterCommit(tx, () => {
        this.channel.cut(agentId, REVOKED);
        this.live.toWorkspace(workspaceId, 'agent:status', { agentId, status: 'revoked' });
      });
      return this.view({ ...agent, state: 'revoked', sessionId: null });
    });
    // Apart from the revocation, so that nothing can hold that up; should this process die here, the sweep goes on.
    await this.settlement.callOff(agentId, REVOKED);
    return view;
  }

  /**
   * Lets a quarantined agent in again. The fingerprint says that the person looked at the machine they mean; the first copy of its key to come
   * wins, and any other goes back into quarantine.
   */
  reaccept(actor: Actor, agentId: string, typedFingerprint: string): Promise<AgentView> {
    const { workspaceId } = actor;
    return this.database.inWorkspace(workspaceId, async (tx) => {
      const agent = await this.directory.get(tx, workspaceId, agentId);
      if (agent.state !== 'quarantined') {
        throw new AppError('CONFLICT', 'This agent is not in quarantine: there is nothing to re-accept.');
      }
      if (words(typedFingerprint) !== agent.fingerprint) {
        throw new AppError(
          'VALIDATION',
          'These are not the six words of this agent. Read them on its machine: rahatback-agent status.',
          { fields: { fingerprint: ['fingerprint does not match'] } },
        );
      }
      await tx.update(AgentRow, { id: agentId }, { state: 'active', sessionId: null, generationConfirmed: ANY_GENERATION });
      await this.audit.record(tx, { workspaceId, actor, action: 'agent.reaccepted', targetType: 'agent', targetId: agentId });
      this.database.afterCommit(tx, () => this.live.toWorkspace(workspaceId, 'agent:status', { agentId, status: 'offline' }));
      return this.view({ ...agent, state: 'active', sessionId: null });
    });
  }

  private view(agent: AgentRow): AgentView {
    return toAgentView(agent, this.directory.isOnline(agent));
  }
}
