import { Injectable } from '@nestjs/common';
import type { DatabaseView, RebindDatabaseDto } from '@rahatback/contracts';
import { AppError, TERMINAL_COMMAND_STATES } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { AgentDirectory, CommandOutbox, type AgentRow } from '../agents/index.js';
import { AuditTrail } from '../audit/index.js';
import { DatabaseDirectory, toDatabaseView } from './database-directory.js';
import { assertDatabaseHost } from './database-host.js';
import { assertIdle } from './database-idle.js';
import { DatabaseMoves, type MoveStep } from './database-moves.js';
import { sealPassword } from './database-password.js';
import { DatabaseRow } from './database.entity.js';

/** What the fences of one database guard. */
const RESOURCES = `(resource IN (SELECT 'backup:' || id FROM jobs WHERE database_id = $1::uuid)
  OR starts_with(resource, 'restore:' || $1::text || '/') OR starts_with(resource, 'swap:' || $1::text || '/'))`;

/** Gives a database to another agent, after the first was lost or the database has moved. */
@Injectable()
export class DatabaseRebind {
  constructor(
    private readonly database: Database,
    private readonly directory: DatabaseDirectory,
    private readonly agents: AgentDirectory,
    private readonly moves: DatabaseMoves,
    private readonly outbox: CommandOutbox,
    private readonly audit: AuditTrail,
  ) {}

  /**
   * All or nothing. The next backup of each job is a full one: a chain never spans two agents.
   * @throws AppError NOT_FOUND, VALIDATION, CONFLICT (work runs, passphrases are missing), AGENT_OFFLINE, AGENT_REVOKED, AGENT_QUARANTINED
   */
  async run(actor: Actor, databaseId: string, dto: RebindDatabaseDto): Promise<DatabaseView> {
    if (dto.host !== undefined) assertDatabaseHost(dto.host);
    const { workspaceId } = actor;
    await this.database.inWorkspace(workspaceId, async (tx) => {
      const row = await this.directory.get(tx, workspaceId, databaseId);
      await this.check(tx, row, dto);
    });
    const { agentId, passphrases = [] } = dto;
    const steps = await this.moves.prepare({ actor, databaseId, agentId, passphrases });
    return this.database.inWorkspace(workspaceId, (tx) => this.move(tx, actor, { databaseId, dto, steps }));
  }

  private async move(
    tx: Tx,
    actor: Actor,
    { databaseId, dto, steps }: { databaseId: string; dto: RebindDatabaseDto; steps: readonly MoveStep[] },
  ): Promise<DatabaseView> {
    const { workspaceId } = actor;
    const row = await this.directory.lockWithJobs(tx, workspaceId, databaseId);
    const agent = await this.check(tx, row, dto);
    for (const step of steps) await step(tx);
    await this.fenceOff(tx, row);
    const version = row.passwordVersion + 1;
    await tx.update(
      DatabaseRow,
      { id: databaseId },
      {
        agentId: agent.id,
        host: dto.host ?? row.host,
        port: dto.port ?? row.port,
        password: await sealPassword(agent, { subject: databaseId, version, password: dto.password ?? '' }),
        passwordVersion: version,
        serverVersion: null,
      },
    );
    await this.audit.record(tx, {
      workspaceId,
      actor,
      action: 'database.rebound',
      targetType: 'database',
      targetId: databaseId,
      detail: { fromAgentId: row.agentId, toAgentId: agent.id },
    });
    return toDatabaseView(await this.directory.get(tx, workspaceId, databaseId));
  }

  private async check(tx: Tx, row: DatabaseRow, dto: RebindDatabaseDto): Promise<AgentRow> {
    if (dto.agentId === row.agentId)
      throw new AppError('CONFLICT', 'The database is with this agent already. Choose another agent.');
    const agent = await this.agents.requireForWork(tx, row.workspaceId, dto.agentId);
    if (!this.agents.isOnline(agent)) {
      throw new AppError('AGENT_OFFLINE', `The agent on ${agent.deviceName} is offline. Start it, then give it the database.`, {
        agentId: agent.id,
      });
    }
    if (row.password !== null && dto.password === undefined) {
      throw new AppError('VALIDATION', 'The password was sealed to the other agent and nobody can open it. Type it again.', {
        fields: { password: ['password must be typed again'] },
      });
    }
    await assertIdle(tx, row.id, 'give it to the other agent');
    return agent;
  }

  /** Nothing that the old agent still holds, or has waiting, counts any more. */
  private async fenceOff(tx: Tx, { id, agentId }: DatabaseRow): Promise<void> {
    await tx.query(
      `UPDATE leases SET fence = fence + 1, holder = NULL, operation_id = NULL, expires_at = NULL WHERE ${RESOURCES}`,
      [id],
    );
    const waiting = await tx.query<{ id: string }[]>(
      `SELECT id FROM commands WHERE agent_id = $2 AND NOT (state = ANY($3)) AND ${RESOURCES} ORDER BY id`,
      [id, agentId, TERMINAL_COMMAND_STATES],
    );
    for (const command of waiting) await this.outbox.markEnded(tx, command.id, 'cancelled');
  }
}
