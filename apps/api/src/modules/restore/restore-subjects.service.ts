import { Injectable } from '@nestjs/common';
import type { BackupLocation } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { AgentDirectory, type AgentRow } from '../agents/index.js';
import { chainLocked, timeLimitOf, type BackupRow } from '../backups/index.js';
import { DatabaseDirectory, type DatabaseRow } from '../databases/index.js';
import { checkTarget, defaultTarget } from './restore-target.js';

export interface RestoreSubject {
  readonly backup: BackupRow;
  readonly links: readonly BackupLocation[];
  readonly database: DatabaseRow;
  readonly agent: AgentRow;
  readonly target: string;
  readonly timeLimitMinutes: number;
}

/** What is restored, from what, by whom and into what, and whether it may be. */
@Injectable()
export class RestoreSubjects {
  constructor(
    private readonly agents: AgentDirectory,
    private readonly databases: DatabaseDirectory,
  ) {}

  async forStart(tx: Tx, workspaceId: string, backupId: string, wantedTarget: string | undefined): Promise<RestoreSubject> {
    const { backup, links } = await chainLocked(tx, workspaceId, backupId);
    if (backup.status !== 'success' || backup.deletingAt !== null) {
      throw new AppError('CONFLICT', 'Only a successful backup that is not being deleted can be restored. Choose another one.', {
        status: backup.deletingAt === null ? backup.status : 'deleting',
      });
    }
    const database = await this.databases.get(tx, workspaceId, backup.databaseId);
    const target = wantedTarget ?? defaultTarget(database.databaseName, new Date());
    checkTarget(target, database.databaseName);
    const agent = await this.agentFor(tx, backup, database);
    return { backup, links, database, agent, target, timeLimitMinutes: await timeLimitOf(tx, backup.jobId) };
  }

  /** Only the agent that made the backup holds a key to it; only the agent of the database holds its password. */
  private async agentFor(tx: Tx, backup: BackupRow, database: DatabaseRow): Promise<AgentRow> {
    const agent = await this.agents.get(tx, backup.workspaceId, database.agentId);
    if (backup.agentId !== database.agentId) {
      throw new AppError(
        'CONFLICT',
        'The database has moved to another agent since, and only the old one holds a key to this backup. ' +
          'Restore it on the command line with the recovery key: rahatback-agent restore.',
      );
    }
    if (this.agents.isOnline(agent)) return agent;
    const seen = agent.lastSeenAt === null ? 'has never been online' : `was last seen at ${agent.lastSeenAt.toISOString()}`;
    throw new AppError(
      'AGENT_OFFLINE',
      `The agent on ${agent.deviceName} is offline (it ${seen}). Start it, then restore again.`,
      {
        agentId: agent.id,
        lastSeenAt: agent.lastSeenAt?.toISOString() ?? null,
      },
    );
  }
}
