import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database, type Tx } from '../../platform/database/database.js';
import { AgentRow } from './agent.entity.js';
import { DatabaseClock } from './database-clock.js';

const notFound = (): AppError =>
  new AppError('NOT_FOUND', 'There is no such agent in this workspace. Look at the list of agents.');

/** Who the workspace's agents are and which of them can work now. */
@Injectable()
export class AgentDirectory {
  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly clock: DatabaseClock,
  ) {}

  /** Has a live session, and was heard of within `agentOfflineAfterMs`. */
  isOnline(agent: Pick<AgentRow, 'state' | 'sessionId' | 'lastSeenAt'>): boolean {
    if (agent.state !== 'active' || agent.sessionId === null || agent.lastSeenAt === null) return false;
    return this.clock.nowMs() - agent.lastSeenAt.getTime() <= this.config.agentOfflineAfterMs;
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
    if (agentId !== undefined) return usable(await this.get(tx, workspaceId, agentId));
    const agent = await tx
      .createQueryBuilder(AgentRow, 'agent')
      .where(`agent.workspaceId = :workspaceId AND agent.state = 'active' AND agent.sessionId IS NOT NULL`, { workspaceId })
      .andWhere(`agent.lastSeenAt >= clock_timestamp() - :silence::interval`, {
        silence: `${this.config.agentOfflineAfterMs} milliseconds`,
      })
      .orderBy('agent.lastSeenAt', 'DESC')
      .limit(1)
      .getOne();
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
}

function usable(agent: AgentRow): AgentRow {
  if (agent.state === 'revoked') {
    throw new AppError('AGENT_REVOKED', `The agent on ${agent.deviceName} was revoked. Choose another agent.`);
  }
  if (agent.state === 'quarantined') {
    throw new AppError(
      'AGENT_QUARANTINED',
      `The agent on ${agent.deviceName} is in quarantine. Re-accept it by its fingerprint, or choose another agent.`,
    );
  }
  return agent;
}
