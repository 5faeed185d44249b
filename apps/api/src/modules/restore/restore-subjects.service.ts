import { Injectable } from '@nestjs/common';
import type { BackupLocation, RestoreMode, RestoreSelection, RestoreTargetDto } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { AgentDirectory, type AgentRow } from '../agents/index.js';
import { chainLocked, timeLimitOf, type BackupRow } from '../backups/index.js';
import { DatabaseDirectory, DatabaseRow } from '../databases/index.js';
import { agentPathOf } from '../storages/index.js';
import { checkTarget, defaultTarget } from './restore-target.js';

export interface RestoreSubject {
  readonly backup: BackupRow;
  readonly links: readonly BackupLocation[];
  /** Whose server takes the copy. */
  readonly database: DatabaseRow;
  /** The agent of that database. */
  readonly agent: AgentRow;
  readonly mode: RestoreMode;
  /** What a swap replaces; null for a restore beside. */
  readonly live: string | null;
  readonly target: string;
  readonly selection: readonly RestoreSelection[];
  /** The folder on that agent's disk where the backup lies; null where the server signs URLs. */
  readonly agentPath: string | null;
  readonly timeLimitMinutes: number;
}

/** @throws AppError SELECTION_INVALID, VALIDATION for what does not go together with a swap */
function checkMode(dto: RestoreTargetDto): RestoreMode {
  const mode = dto.mode ?? 'beside';
  if (mode === 'beside') return mode;
  if ((dto.selection ?? []).length > 0) {
    throw new AppError(
      'SELECTION_INVALID',
      'A swap replaces the whole database, so a part of it cannot be swapped in. Leave the selection out, or restore beside.',
    );
  }
  if (dto.targetDatabase !== undefined) {
    throw new AppError('VALIDATION', 'A swap makes the name of the copy itself. Leave targetDatabase out.', {
      fields: { targetDatabase: ['not with mode swap'] },
    });
  }
  return mode;
}

/** @throws AppError AGENT_OFFLINE */
export function assertOnline(agents: AgentDirectory, agent: AgentRow, then: string): void {
  if (agents.isOnline(agent)) return;
  const lastSeenAt = agent.lastSeenAt?.toISOString() ?? null;
  const seen = lastSeenAt === null ? 'has never been online' : `was last seen at ${lastSeenAt}`;
  throw new AppError('AGENT_OFFLINE', `The agent on ${agent.deviceName} is offline (it ${seen}). Start it, then ${then}.`, {
    agentId: agent.id,
    lastSeenAt,
  });
}

/** What is restored, from what, by whom and into what, and whether it may be. */
@Injectable()
export class RestoreSubjects {
  constructor(
    private readonly agents: AgentDirectory,
    private readonly databases: DatabaseDirectory,
  ) {}

  /** @throws AppError NOT_FOUND, CONFLICT, ENGINE_MISMATCH, SELECTION_INVALID, RESTORE_TARGET_LIVE, AGENT_OFFLINE */
  async forStart(tx: Tx, workspaceId: string, backupId: string, dto: RestoreTargetDto): Promise<RestoreSubject> {
    const mode = checkMode(dto);
    const { backup, links } = await chainLocked(tx, workspaceId, backupId);
    if (backup.status !== 'success' || backup.deletingAt !== null) {
      throw new AppError('CONFLICT', 'Only a successful backup that is not being deleted can be restored. Choose another one.', {
        status: backup.deletingAt === null ? backup.status : 'deleting',
      });
    }
    const database = await this.targetOf(tx, backup, dto.targetDatabaseId);
    const live = database.databaseName;
    const target = dto.targetDatabase ?? defaultTarget(live, new Date());
    checkTarget(target, live);
    const agent = await this.agents.get(tx, workspaceId, database.agentId);
    assertOnline(this.agents, agent, 'restore again');
    return {
      backup,
      links,
      database,
      agent,
      mode,
      live: mode === 'swap' ? live : null,
      target,
      selection: (dto.selection ?? []).map(({ schema, table }) => ({ schema, table: table ?? null })),
      agentPath: await agentPathOf(tx, backup.storageId, agent.id),
      timeLimitMinutes: await timeLimitOf(tx, backup.jobId),
    };
  }

  /** Locked, so that it does not go to another agent meanwhile. It must be of the same engine as the one that was backed up, which may be gone. */
  private async targetOf(tx: Tx, backup: BackupRow, wantedId: string | undefined): Promise<DatabaseRow> {
    const target = await this.databases.lock(tx, backup.workspaceId, wantedId ?? backup.databaseId);
    const source = await tx.findOneByOrFail(DatabaseRow, { id: backup.databaseId });
    if (target.type === source.type) return target;
    throw new AppError(
      'ENGINE_MISMATCH',
      `This backup is of a ${source.type} database and "${target.name}" is ${target.type}. Choose a ${source.type} database.`,
      { backupType: source.type, targetType: target.type },
    );
  }
}
