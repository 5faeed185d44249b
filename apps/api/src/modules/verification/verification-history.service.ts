import { Injectable } from '@nestjs/common';
import type { Page, PageQueryDto, VerificationQueryDto, VerificationView } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { pageOf } from '../../platform/http/pages.js';
import { AgentDirectory } from '../agents/index.js';
import { getBackup } from '../backups/index.js';
import { VerificationSettlement } from './verification-settlement.service.js';
import { toVerificationView } from './verification-view.js';
import type { VerificationRow } from './verification.entity.js';
import { agentsOf, countVerifications, findVerifications, getVerification, lockVerification } from './verification.repository.js';

/** What people see of verifications, and how they call one off. Lists leave out tables and logs: each may be as large as a frame. */
@Injectable()
export class VerificationHistory {
  constructor(
    private readonly database: Database,
    private readonly agents: AgentDirectory,
    private readonly settlement: VerificationSettlement,
  ) {}

  list(actor: Actor, query: VerificationQueryDto): Promise<Page<VerificationView>> {
    return this.database.inWorkspace(actor.workspaceId, (tx) => this.page(tx, actor, query));
  }

  /** @throws AppError NOT_FOUND for a backup that is not the workspace's */
  ofBackup(actor: Actor, backupId: string, query: PageQueryDto): Promise<Page<VerificationView>> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      await getBackup(tx, actor.workspaceId, backupId);
      return this.page(tx, actor, { ...query, backupId });
    });
  }

  get(actor: Actor, verificationId: string): Promise<VerificationView> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const verification = await getVerification(tx, actor.workspaceId, verificationId);
      const agent = await this.agents.get(tx, actor.workspaceId, verification.agentId);
      return toVerificationView(verification, this.agents.isOnline(agent));
    });
  }

  /** @throws AppError TOO_LATE with how it really ended */
  cancel(actor: Actor, verificationId: string): Promise<VerificationView> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const verification = await lockVerification(tx, actor.workspaceId, verificationId);
      if (!(await this.settlement.cancel(tx, verification, actor))) {
        const { status } = verification;
        const sentence = `Too late to cancel: the verification had already ended (${status}).`;
        throw new AppError('TOO_LATE', sentence, { status });
      }
      return toVerificationView(await getVerification(tx, actor.workspaceId, verificationId), false);
    });
  }

  private page(tx: Tx, { workspaceId }: Actor, query: VerificationQueryDto): Promise<Page<VerificationView>> {
    return pageOf(query, {
      find: async (skip, take) => this.views(tx, await findVerifications(tx, workspaceId, query, { skip, take })),
      countUpTo: (limit) => countVerifications(tx, workspaceId, query, limit),
    });
  }

  private async views(tx: Tx, verifications: readonly VerificationRow[]): Promise<VerificationView[]> {
    const agents = await agentsOf(tx, verifications);
    const online = new Set(agents.filter((agent) => this.agents.isOnline(agent)).map((agent) => agent.id));
    return verifications.map((verification) => toVerificationView(verification, online.has(verification.agentId)));
  }
}
