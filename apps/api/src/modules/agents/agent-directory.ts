import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { IsNull, MoreThan, Not } from 'typeorm';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database, type Tx } from '../../platform/database/database.js';
import { AgentRow } from './agent.entity.js';

const notFound = (): AppError =>
  new AppError('NOT_FOUND', 'There is no such agent in this workspace. Look at the list of agents.');

/** Who the workspace's agents are and which of them can work now. */
@Injectable()
export class AgentDirectory {
  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
  ) {}

  /** Has a live session, and was heard of within `agentOfflineAfterMs`. */
  isOnline(agent: Pick<AgentRow, 'state' | 'sessionId' | 'lastSeenAt'>): boolean {
    if (agent.state !== 'active' || agent.sessionId === null || agent.lastSeenAt === null) return false;
    return Date.now() - agent.lastSeenAt.getTime() <= this.config.agentOfflineAfterMs;
  }

  /** @throws AppError NOT_FOUND, also for an agent of another workspace */
  async get(tx: Tx, workspaceId: string, agentId: string): Promise<AgentRow> {
    const agent = await tx.findOneBy(AgentRow, { id: agentId, workspaceId });
    if (!agent) throw notFound();
    return agent;
  }

  /**
   * The given agent, or any online one of the workspace. A given agent need not be online: sealing a secret to it does not take it.
   * @throws AppError NOT_FOUND, AGENT_REVOKED, AGENT_QUARANTINED for a given one; NO_AGENT_ONLINE when none was given and none is online
   */
  async requireForWork(tx: Tx, workspaceId: string, agentId?: string): Promise<AgentRow> {
    if (agentId !== undefined) return this.usable(await this.get(tx, workspaceId, agentId));
    const seenSince = new Date(Date.now() - this.config.agentOfflineAfterMs);
    const agent = await tx.findOne(AgentRow, {
      where: { workspaceId, state: 'active', sessionId: Not(IsNull()), lastSeenAt: MoreThan(seenSince) },
      order: { lastSeenAt: 'DESC' },
    });
    if (!agent) {
      throw new AppError('NO_AGENT_ONLINE', 'No agent of this workspace is online. Start one, or enrol one, then try again.');
    }
    return agent;
  }

  /** base64 public keys, for checking what the agent signed and for sealing to it. */
  async publicKeys(agentId: string): Promise<{ signPublicKey: string; sealPublicKey: string; fingerprint: string }> {
    const agent = await this.database.asSystem('agent public keys', (tx) => tx.findOneBy(AgentRow, { id: agentId }));
    if (!agent) throw notFound();
    return { signPublicKey: agent.signPublicKey, sealPublicKey: agent.sealPublicKey, fingerprint: agent.fingerprint };
  }

  private usable(agent: AgentRow): AgentRow {
    if (agent.state === 'revoked') {
      throw new AppError('AGENT_REVOKED', `The agent on ${agent.deviceName} was revoked. Choose another agent.`);
    }
    if (agent.state === 'quarantined') {
      throw new AppError(
        'AGENT_QUARANTINED',
        `The agent on ${agent.deviceName} is in quarantine. Re-accept it or choose another agent.`,
      );
    }
    return agent;
  }
}
