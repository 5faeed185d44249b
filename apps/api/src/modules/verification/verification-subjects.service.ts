import { Injectable } from '@nestjs/common';
import type { BackupLocation, DatabaseType } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { AgentDirectory, type AgentRow } from '../agents/index.js';
import { chainLocked, timeLimitOf, type BackupRow } from '../backups/index.js';
import { DatabaseRow } from '../databases/index.js';

export interface VerificationSubject {
  readonly backup: BackupRow;
  readonly links: readonly BackupLocation[];
  readonly agent: AgentRow;
  readonly databaseType: DatabaseType;
  readonly timeLimitMinutes: number;
}

/** What is verified, and by whom: the agent that made the backup, which holds a key to it. The database itself is not touched. */
@Injectable()
export class VerificationSubjects {
  constructor(private readonly agents: AgentDirectory) {}

  /** @throws AppError NOT_FOUND, CONFLICT */
  async forStart(tx: Tx, workspaceId: string, backupId: string): Promise<VerificationSubject> {
    const { backup, links } = await chainLocked(tx, workspaceId, backupId);
    if (backup.status !== 'success' || backup.deletingAt !== null) {
      throw new AppError('CONFLICT', 'Only a successful backup that is not being deleted can be verified. Choose another one.', {
        status: backup.deletingAt === null ? backup.status : 'deleting',
      });
    }
    const agent = await this.agents.get(tx, workspaceId, backup.agentId);
    // Also of a database that was deleted since: its backups stay, and stay verifiable.
    const { type } = await tx.findOneByOrFail(DatabaseRow, { id: backup.databaseId });
    return { backup, links, agent, databaseType: type, timeLimitMinutes: await timeLimitOf(tx, backup.jobId) };
  }

  /** @throws AppError CONFLICT for an agent that was revoked, AGENT_OFFLINE */
  requireOnline(agent: AgentRow): void {
    if (agent.state === 'revoked') {
      throw new AppError(
        'CONFLICT',
        `The agent on ${agent.deviceName} made this backup and was revoked since, and only it holds a key. ` +
          'Verify the backup on the command line with the recovery key: rahatback-agent restore.',
      );
    }
    if (this.agents.isOnline(agent)) return;
    const lastSeenAt = agent.lastSeenAt?.toISOString() ?? null;
    const seen = lastSeenAt === null ? 'has never been online' : `was last seen at ${lastSeenAt}`;
    const message = `The agent on ${agent.deviceName} is offline (it ${seen}). Start it, then verify again.`;
    throw new AppError('AGENT_OFFLINE', message, { agentId: agent.id, lastSeenAt });
  }
}
