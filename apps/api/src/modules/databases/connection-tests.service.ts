import { Injectable } from '@nestjs/common';
import type { Connection, ConnectionTestAnswer, DatabaseConnectionDto, SealedSecret } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { newId } from '../../platform/ids.js';
import { AgentDirectory, type AgentRow, CommandOutbox, CommandReplies } from '../agents/index.js';
import { AuditTrail } from '../audit/index.js';
import { assertDatabaseHost } from './database-host.js';
import { connectionOf, DatabaseDirectory } from './database-directory.js';
import { assertEngine, sealPassword } from './database-password.js';
import { DatabaseRow } from './database.entity.js';
import { toTestAnswer } from './test-result.js';

const LIMIT_MS = 30_000;

interface TestOrder {
  readonly commandId: string;
  readonly agent: AgentRow;
  readonly connection: Connection;
  readonly secret: SealedSecret | null;
  /** Null for a connection that is not saved. */
  readonly databaseId: string | null;
}

/** Tries a connection from where it counts: the agent. Whatever comes of it is an answer, not an error. */
@Injectable()
export class ConnectionTests {
  constructor(
    private readonly database: Database,
    private readonly directory: DatabaseDirectory,
    private readonly agents: AgentDirectory,
    private readonly outbox: CommandOutbox,
    private readonly replies: CommandReplies,
    private readonly audit: AuditTrail,
  ) {}

  async testUnsaved(actor: Actor, dto: DatabaseConnectionDto): Promise<ConnectionTestAnswer> {
    assertEngine(dto.type);
    assertDatabaseHost(dto.host);
    const commandId = newId();
    return this.run(actor, async (tx) => {
      const agent = await this.agents.requireForWork(tx, actor.workspaceId, dto.agentId);
      const secret = await sealPassword(agent, { subject: commandId, version: 1, password: dto.password ?? '' });
      return { commandId, agent, connection: connectionOfDto(dto, secret), secret, databaseId: null };
    });
  }

  async testSaved(actor: Actor, databaseId: string): Promise<ConnectionTestAnswer> {
    const answer = await this.run(actor, async (tx) => {
      const row = await this.directory.get(tx, actor.workspaceId, databaseId);
      const agent = await this.agents.requireForWork(tx, actor.workspaceId, row.agentId);
      return { commandId: newId(), agent, connection: connectionOf(row), secret: row.password, databaseId };
    });
    const { serverVersion } = answer;
    if (answer.success && serverVersion !== undefined) {
      await this.database.inWorkspace(actor.workspaceId, (tx) => tx.update(DatabaseRow, { id: databaseId }, { serverVersion }));
    }
    return answer;
  }

  private async run(actor: Actor, prepare: (tx: Tx) => Promise<TestOrder>): Promise<ConnectionTestAnswer> {
    const { order, isOnline } = await this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const prepared = await prepare(tx);
      const reachable = this.agents.isOnline(prepared.agent);
      if (reachable) await this.send(tx, actor, prepared);
      return { order: prepared, isOnline: reachable };
    });
    const agentId = order.agent.id;
    if (!isOnline) {
      const message = `The agent on ${order.agent.deviceName} is offline. Start it, then try again.`;
      return { success: false, code: 'AGENT_OFFLINE', message, agentId };
    }
    try {
      return toTestAnswer(await this.replies.waitFor(order.commandId, LIMIT_MS), agentId);
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'AGENT_TIMEOUT')) throw error;
      return { success: false, code: error.code, message: error.message, agentId };
    }
  }

  private async send(tx: Tx, actor: Actor, order: TestOrder): Promise<void> {
    const { workspaceId } = actor;
    await this.outbox.enqueue(tx, {
      id: order.commandId,
      workspaceId,
      agentId: order.agent.id,
      type: 'database:test',
      resource: `test:${order.agent.id}`,
      fence: 0,
      payload: { connection: order.connection },
      sealed: order.secret === null ? [] : [order.secret],
      expiresInMs: LIMIT_MS,
    });
    await this.audit.record(tx, {
      workspaceId,
      actor,
      action: 'database.connection_tested',
      targetType: order.databaseId === null ? 'agent' : 'database',
      targetId: order.databaseId ?? order.agent.id,
    });
  }
}

const connectionOfDto = (dto: DatabaseConnectionDto, secret: SealedSecret | null): Connection => ({
  type: dto.type,
  host: dto.host,
  port: dto.port,
  username: dto.username,
  database: dto.database,
  tlsMode: dto.tlsMode ?? 'prefer',
  tlsCa: dto.tlsCa ?? null,
  passwordRef: secret?.ref ?? null,
});
