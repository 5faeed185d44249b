import { Injectable } from '@nestjs/common';
import type { Page, PageQueryDto, RestoreView } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { pageOf } from '../../platform/http/pages.js';
import { AgentDirectory } from '../agents/index.js';
import { RestoreSettlement } from './restore-settlement.service.js';
import { toRestoreView } from './restore-view.js';
import type { RestoreRow } from './restore.entity.js';
import { agentsOf, countRestores, findRestores, getRestore, lockRestore } from './restore.repository.js';

/** What people see of restores, and how they call one off. */
@Injectable()
export class RestoreHistory {
  constructor(
    private readonly database: Database,
    private readonly agents: AgentDirectory,
    private readonly settlement: RestoreSettlement,
  ) {}

  list(actor: Actor, query: PageQueryDto): Promise<Page<RestoreView>> {
    return this.database.inWorkspace(actor.workspaceId, (tx) =>
      pageOf(query, {
        find: async (skip, take) => this.views(tx, await findRestores(tx, actor.workspaceId, { skip, take })),
        countUpTo: (limit) => countRestores(tx, actor.workspaceId, limit),
      }),
    );
  }

  get(actor: Actor, restoreId: string): Promise<RestoreView> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const restore = await getRestore(tx, actor.workspaceId, restoreId);
      return toRestoreView(restore, this.agents.isOnline(await this.agents.get(tx, actor.workspaceId, restore.agentId)));
    });
  }

  /** @throws AppError TOO_LATE with how it really ended */
  cancel(actor: Actor, restoreId: string): Promise<RestoreView> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const restore = await lockRestore(tx, actor.workspaceId, restoreId);
      if (!(await this.settlement.cancel(tx, restore, actor))) {
        throw new AppError('TOO_LATE', `Too late to cancel: the restore had already ended (${restore.status}).`, {
          status: restore.status,
        });
      }
      return toRestoreView(await getRestore(tx, actor.workspaceId, restoreId), false);
    });
  }

  private async views(tx: Tx, restores: readonly RestoreRow[]): Promise<RestoreView[]> {
    const agents = await agentsOf(tx, restores);
    const online = new Set(agents.filter((agent) => this.agents.isOnline(agent)).map((agent) => agent.id));
    return restores.map((restore) => toRestoreView(restore, online.has(restore.agentId)));
  }
}
