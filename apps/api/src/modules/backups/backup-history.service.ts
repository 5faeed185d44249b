import { Injectable } from '@nestjs/common';
import type { BackupDetailView, BackupView, HistoryQueryDto, Page } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { pageOf } from '../../platform/http/pages.js';
import { AgentDirectory } from '../agents/index.js';
import { removalErrorOf } from './agent-removal.repository.js';
import { attemptsOf } from './backup-attempt.repository.js';
import { countHistory, findHistory } from './backup-history.repository.js';
import { surroundingsOf, type Surroundings } from './backup-surroundings.repository.js';
import type { BackupSurroundings } from './backup-view.js';
import { toBackupDetailView, toBackupView } from './backup-view.js';
import type { BackupRow } from './backup.entity.js';
import { getBackup } from './backup.repository.js';

/** What people see of backups. */
@Injectable()
export class BackupHistory {
  constructor(
    private readonly database: Database,
    private readonly agents: AgentDirectory,
  ) {}

  list(actor: Actor, query: HistoryQueryDto): Promise<Page<BackupView>> {
    return this.database.inWorkspace(actor.workspaceId, (tx) =>
      pageOf(query, {
        find: async (skip, take) => this.views(tx, await findHistory(tx, actor.workspaceId, query, { skip, take })),
        countUpTo: (limit) => countHistory(tx, actor.workspaceId, query, limit),
      }),
    );
  }

  detail(actor: Actor, backupId: string): Promise<BackupDetailView> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const backup = await getBackup(tx, actor.workspaceId, backupId);
      const around = this.around(backup, await surroundingsOf(tx, [backup]));
      const deletionError = backup.deletingAt === null ? null : await removalErrorOf(tx, backup);
      return { ...toBackupDetailView(backup, around, await attemptsOf(tx, backup.id)), deletionError };
    });
  }

  private async views(tx: Tx, backups: readonly BackupRow[]): Promise<BackupView[]> {
    const surroundings = await surroundingsOf(tx, backups);
    return backups.map((backup) => toBackupView(backup, this.around(backup, surroundings)));
  }

  private around(backup: BackupRow, { storageTypes, agents, lastRestores }: Surroundings): BackupSurroundings {
    const agent = agents.get(backup.agentId);
    const restore = lastRestores.get(backup.id);
    return {
      storageType: storageTypes.get(backup.storageId) ?? 'local',
      agentOnline: agent !== undefined && this.agents.isOnline(agent),
      lastRestoreStatus: restore?.status ?? null,
      lastRestoreAt: restore?.startedAt ?? null,
    };
  }
}
