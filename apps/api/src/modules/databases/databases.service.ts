import { Injectable } from '@nestjs/common';
import type { CreateDatabaseDto, DatabaseView, Page, PageQueryDto, UpdateDatabaseDto } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { pageOf } from '../../platform/http/pages.js';
import { newId } from '../../platform/ids.js';
import { AgentDirectory } from '../agents/index.js';
import { AuditTrail } from '../audit/index.js';
import { assertDatabaseHost } from './database-host.js';
import { DatabaseDirectory, toDatabaseView } from './database-directory.js';
import { DatabaseDeletions } from './database-deletions.js';
import { assertIdle } from './database-idle.js';
import { assertEngine, sealPassword } from './database-password.js';
import { DatabaseRow } from './database.entity.js';

@Injectable()
export class DatabasesService {
  constructor(
    private readonly database: Database,
    private readonly directory: DatabaseDirectory,
    private readonly agents: AgentDirectory,
    private readonly deletions: DatabaseDeletions,
    private readonly audit: AuditTrail,
  ) {}

  /** The password is sealed to the agent before anything is written: from here on nobody but the agent can read it. */
  async create(actor: Actor, dto: CreateDatabaseDto): Promise<DatabaseView> {
    assertEngine(dto.type);
    assertDatabaseHost(dto.host);
    const { workspaceId } = actor;
    return this.database.inWorkspace(workspaceId, async (tx) => {
      const agent = await this.agents.requireForWork(tx, workspaceId, dto.agentId);
      const id = newId();
      const version = dto.password === undefined ? 0 : 1;
      await tx.insert(DatabaseRow, {
        id,
        workspaceId,
        agentId: agent.id,
        name: dto.name,
        type: dto.type,
        host: dto.host,
        port: dto.port,
        username: dto.username,
        databaseName: dto.database,
        tlsMode: dto.tlsMode ?? 'prefer',
        tlsCa: dto.tlsCa ?? null,
        password: dto.password === undefined ? null : await sealPassword(agent, { subject: id, version, password: dto.password }),
        passwordVersion: version,
      });
      await this.record(tx, actor, { action: 'database.created', id, detail: { type: dto.type, agentId: agent.id } });
      return toDatabaseView(await this.directory.get(tx, workspaceId, id));
    });
  }

  list(actor: Actor, query: PageQueryDto): Promise<Page<DatabaseView>> {
    const { workspaceId } = actor;
    return this.database.inWorkspace(workspaceId, (tx) =>
      pageOf(query, {
        find: async (skip, take) => {
          const rows = this.directory.query(tx, workspaceId).orderBy('db.createdAt').addOrderBy('db.id');
          return (await rows.offset(skip).limit(take).getMany()).map(toDatabaseView);
        },
        countUpTo: () => this.directory.query(tx, workspaceId).getCount(),
      }),
    );
  }

  get(actor: Actor, id: string): Promise<DatabaseView> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) =>
      toDatabaseView(await this.directory.get(tx, actor.workspaceId, id)),
    );
  }

  /** A password left out stays; an empty one is taken away. */
  async update(actor: Actor, id: string, dto: UpdateDatabaseDto): Promise<DatabaseView> {
    if (dto.host !== undefined) assertDatabaseHost(dto.host);
    const { workspaceId } = actor;
    return this.database.inWorkspace(workspaceId, async (tx) => {
      const row = await this.directory.lock(tx, workspaceId, id);
      await tx.update(
        DatabaseRow,
        { id },
        {
          name: dto.name ?? row.name,
          host: dto.host ?? row.host,
          port: dto.port ?? row.port,
          username: dto.username ?? row.username,
          databaseName: dto.database ?? row.databaseName,
          tlsMode: dto.tlsMode ?? row.tlsMode,
          tlsCa: dto.tlsCa ?? row.tlsCa,
          ...(await this.changedPassword(tx, row, dto.password)),
        },
      );
      await this.record(tx, actor, { action: 'database.updated', id, detail: { fields: Object.keys(dto) } });
      return toDatabaseView(await this.directory.get(tx, workspaceId, id));
    });
  }

  /** Its jobs go with it; its backups stay until they are deleted. */
  remove(actor: Actor, id: string): Promise<void> {
    const { workspaceId } = actor;
    return this.database.inWorkspace(workspaceId, async (tx) => {
      await this.directory.lockWithJobs(tx, workspaceId, id);
      await assertIdle(tx, id, 'delete');
      await this.deletions.announce(tx, actor, id);
      await tx.update(DatabaseRow, { id }, { deletedAt: () => 'clock_timestamp()' });
      await this.record(tx, actor, { action: 'database.deleted', id });
    });
  }

  private async changedPassword(
    tx: Tx,
    row: DatabaseRow,
    password: string | undefined,
  ): Promise<Partial<Pick<DatabaseRow, 'password' | 'passwordVersion'>>> {
    if (password === undefined) return {};
    const version = row.passwordVersion + 1;
    if (password === '') return { password: null, passwordVersion: version };
    const agent = await this.agents.requireForWork(tx, row.workspaceId, row.agentId);
    return { password: await sealPassword(agent, { subject: row.id, version, password }), passwordVersion: version };
  }

  private record(tx: Tx, actor: Actor, deed: { action: string; id: string; detail?: Record<string, unknown> }): Promise<void> {
    const { action, id: targetId, detail = {} } = deed;
    return this.audit.record(tx, { workspaceId: actor.workspaceId, actor, action, targetType: 'database', targetId, detail });
  }
}
