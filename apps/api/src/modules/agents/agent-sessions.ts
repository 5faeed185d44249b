import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { AgentChallenge, ErrorBody, RegisterAnswer, RegisterMessage } from '@rahatback/contracts';
import { AGENT_PROTOCOL, AGENT_PROTOCOL_MIN, AppError } from '@rahatback/contracts';
import { sessionProofBytes, verifyBytes } from '@rahatback/crypto';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database, type Tx } from '../../platform/database/database.js';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import { AgentChannel } from '../../platform/realtime/agent-channel.js';
import type { AgentAuthenticator, AgentSession } from '../../platform/realtime/agent-session.js';
import { LiveEvents } from '../../platform/realtime/live-events.js';
import { AuditTrail } from '../audit/index.js';
import { plain } from './agent-words.js';
import { AgentRow } from './agent.entity.js';
import { DatabaseClock } from './database-clock.js';
import { REVOKED } from './agent-revoked.js';
import { nextGenerations } from './session-generation.js';

/** The gateway gives an agent 5 s to answer; twice that and a challenge is forgotten. */
const NONCE_LIFE_MS = 10_000;

const QUARANTINED: ErrorBody = {
  code: 'AGENT_QUARANTINED',
  message:
    'This agent showed an old session number: its key was copied, or its machine was rolled back. ' +
    'Compare its fingerprint in the console and re-accept it, or revoke it.',
};
const SUPERSEDED: ErrorBody = {
  code: 'FENCED',
  message: 'A newer session of this agent has begun, so this one ends. See that only one runs with these keys.',
};

const authFailed = (): AppError =>
  new AppError('AGENT_AUTH_FAILED', 'This server does not know the agent, or its signature is wrong. Enrol the agent again.');

interface Registration extends RegisterMessage {
  readonly socketId: string;
}

/** Lets agents in: proof of the key, the session's generation, one live session each. */
@Injectable()
export class AgentSessions implements AgentAuthenticator {
  /** Challenges handed out by this process and not yet answered, oldest first; the socket that got one lives in this process. */
  private readonly nonces = new Map<string, number>();
  /** When each session of this process began, by PostgreSQL's clock. */
  private readonly begunAt = new Map<string, Date>();

  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly keys: ServerKeys,
    private readonly channel: AgentChannel,
    private readonly live: LiveEvents,
    private readonly audit: AuditTrail,
    private readonly clock: DatabaseClock,
  ) {}

  challenge(): AgentChallenge {
    const nonce = randomBytes(32).toString('base64');
    for (const [old, expiresAt] of this.nonces) {
      if (expiresAt > performance.now()) break;
      this.nonces.delete(old);
    }
    this.nonces.set(nonce, performance.now() + NONCE_LIFE_MS);
    return {
      nonce,
      serverId: this.keys.serverId,
      serverTime: new Date(this.clock.nowMs()).toISOString(),
      minProtocol: AGENT_PROTOCOL_MIN,
      maxProtocol: AGENT_PROTOCOL,
    };
  }

  /**
   * @throws AppError AGENT_AUTH_FAILED (same text for an unknown agent, a wrong signature and a used challenge), AGENT_UPGRADE_REQUIRED,
   * AGENT_REVOKED, AGENT_QUARANTINED
   */
  async authenticate(
    nonce: string,
    message: RegisterMessage,
    socketId: string,
  ): Promise<{ session: AgentSession; answer: RegisterAnswer }> {
    const expiresAt = this.nonces.get(nonce) ?? 0;
    this.nonces.delete(nonce);
    if (expiresAt <= performance.now()) throw authFailed();
    const registration = { ...parseRegistration(message), socketId };
    assertProtocol(registration.protocol);
    const opened = await this.database.asSystem('open an agent session', (tx) => this.open(tx, nonce, registration));
    // Thrown after the commit: the quarantine itself must stay.
    if (opened === 'quarantined') throw new AppError(QUARANTINED.code, QUARANTINED.message);
    this.begunAt.set(socketId, new Date(opened.answer.serverTime));
    return opened;
  }

  async disconnected(session: AgentSession): Promise<void> {
    const { agentId, workspaceId, socketId } = session;
    this.begunAt.delete(socketId);
    await this.database.inWorkspace(workspaceId, async (tx) => {
      const ended = await tx.update(AgentRow, { id: agentId, sessionId: socketId }, { sessionId: null });
      if (ended.affected !== 1) return;
      this.database.afterCommit(tx, () => this.live.toWorkspace(workspaceId, 'agent:status', { agentId, status: 'offline' }));
    });
  }

  /** When the session began, by PostgreSQL's clock. */
  beginOf(session: AgentSession): Date | undefined {
    return this.begunAt.get(session.socketId);
  }

  /**
   * Says that the session is alive. One that the watchdog took for dead is alive again, unless another has taken its place.
   * @throws AppError FENCED, AGENT_REVOKED, AGENT_QUARANTINED when it is not the agent's any more; its socket is cut, too
   */
  async touch(tx: Tx, { agentId, workspaceId, socketId }: AgentSession): Promise<void> {
    const rows = await tx.query<{ wasOnline: boolean }[]>(
      `WITH before AS (SELECT id, session_id FROM agents WHERE id = $1 FOR UPDATE),
            beat AS (UPDATE agents SET last_seen_at = clock_timestamp(), session_id = $2
                     FROM before
                     WHERE agents.id = before.id AND state = 'active' AND (before.session_id = $2 OR before.session_id IS NULL)
                     RETURNING agents.id)
       SELECT before.session_id IS NOT NULL AS "wasOnline" FROM before JOIN beat USING (id)`,
      [agentId, socketId],
    );
    const row = rows[0];
    if (!row) throw await this.expel(tx, agentId);
    if (row.wasOnline) return;
    this.database.afterCommit(tx, () => this.live.toWorkspace(workspaceId, 'agent:status', { agentId, status: 'online' }));
  }

  /** It joined its room after it was cut, so the cut had missed it: it is cut again. */
  private async expel(tx: Tx, agentId: string): Promise<AppError> {
    const agent = await tx.findOneBy(AgentRow, { id: agentId });
    const reason = agent?.state === 'active' ? SUPERSEDED : agent?.state === 'quarantined' ? QUARANTINED : REVOKED;
    this.channel.cut(agentId, reason, agent?.state === 'active' ? (agent.sessionId ?? undefined) : undefined);
    return new AppError(reason.code, reason.message);
  }

  private async open(
    tx: Tx,
    nonce: string,
    registration: Registration,
  ): Promise<{ session: AgentSession; answer: RegisterAnswer } | 'quarantined'> {
    const { agentId, generation } = registration;
    const agent = await tx.findOne(AgentRow, { where: { id: agentId }, lock: { mode: 'pessimistic_write' } });
    const proof = sessionProofBytes({ serverId: this.keys.serverId, agentId, nonce, generation });
    if (!agent || !verifyBytes(agent.signPublicKey, proof, registration.signature)) throw authFailed();
    if (agent.state === 'revoked') {
      throw new AppError(REVOKED.code, REVOKED.message);
    }
    if (agent.state === 'quarantined') throw new AppError(QUARANTINED.code, QUARANTINED.message);
    const next = nextGenerations(generation, { confirmed: agent.generationConfirmed, pending: agent.generationPending });
    if (!next) {
      await this.quarantine(tx, agent, generation);
      return 'quarantined';
    }
    const now = await this.clock.read(tx);
    await tx.update(
      AgentRow,
      { id: agentId },
      {
        deviceName: registration.deviceName,
        platform: registration.platform,
        version: registration.version,
        tools: registration.tools,
        generationConfirmed: next.confirmed,
        generationPending: next.pending,
        sessionId: registration.socketId,
        lastSeenAt: () => 'clock_timestamp()',
      },
    );
    const session = { agentId, workspaceId: agent.workspaceId, socketId: registration.socketId, generation: next.pending };
    this.database.afterCommit(tx, () => {
      this.channel.cut(agentId, SUPERSEDED, session.socketId);
      this.live.toWorkspace(agent.workspaceId, 'agent:status', { agentId, status: 'online' });
    });
    return {
      session,
      answer: {
        generation: next.pending,
        serverTime: now.toISOString(),
        heartbeatIntervalMs: this.config.heartbeatIntervalMs,
        leaseMs: this.config.leaseMs,
      },
    };
  }

  /** Nobody can tell the copy from the original: both are out until a person has looked. */
  private async quarantine(tx: Tx, agent: AgentRow, shown: number): Promise<void> {
    const { id: agentId, workspaceId } = agent;
    await tx.update(AgentRow, { id: agentId }, { state: 'quarantined', sessionId: null });
    await this.audit.record(tx, {
      workspaceId,
      actor: { agentId },
      action: 'agent.quarantined',
      targetType: 'agent',
      targetId: agentId,
      outcome: 'failure',
      detail: { shown, confirmed: agent.generationConfirmed, pending: agent.generationPending },
    });
    this.database.afterCommit(tx, () => {
      this.channel.cut(agentId, QUARANTINED);
      this.live.toWorkspace(workspaceId, 'agent:status', { agentId, status: 'quarantined' });
    });
  }
}

/** The gateway has checked the frame's shape. */
const parseRegistration = (message: RegisterMessage): RegisterMessage => ({
  ...message,
  agentId: message.agentId.toLowerCase(),
  deviceName: plain(message.deviceName),
  platform: plain(message.platform),
  version: plain(message.version),
  tools: message.tools.map(({ name, version, path }) => ({ name: plain(name), version: plain(version), path: plain(path) })),
});

function assertProtocol(protocol: number): void {
  if (protocol >= AGENT_PROTOCOL_MIN && protocol <= AGENT_PROTOCOL) return;
  const older = protocol < AGENT_PROTOCOL_MIN ? 'agent' : 'server';
  throw new AppError(
    'AGENT_UPGRADE_REQUIRED',
    `The agent speaks protocol ${protocol}; this server speaks ${AGENT_PROTOCOL_MIN} to ${AGENT_PROTOCOL}. Upgrade the ${older}.`,
    { protocol, minProtocol: AGENT_PROTOCOL_MIN, maxProtocol: AGENT_PROTOCOL },
  );
}
