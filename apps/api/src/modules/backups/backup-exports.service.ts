import { Injectable } from '@nestjs/common';
import type { ExportAnswer, ExportPayload, ExportResult, ExportView } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { newId } from '../../platform/ids.js';
import { AgentDirectory, CommandOutbox, CommandRow, type AgentRow } from '../agents/index.js';
import { AuditTrail } from '../audit/index.js';
import { DatabaseDirectory } from '../databases/index.js';
import { agentPathOf } from '../storages/index.js';
import { exportResource, lastOrderOf, type LastOrderOf } from './agent-removal.repository.js';
import { locationOf } from './backup-chain.js';
import { chainLocked, timeLimitOf } from './backup-for-restore.js';
import type { BackupRow } from './backup.entity.js';

/** Beyond its time limit an agent that still says nothing of an export has lost it. */
const GRACE_MS = 3_600_000;

/** Plain dumps, written by the agent that made the backup into a folder on its machine: nothing unencrypted passes through the server. */
@Injectable()
export class BackupExports {
  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly agents: AgentDirectory,
    private readonly databases: DatabaseDirectory,
    private readonly outbox: CommandOutbox,
    private readonly audit: AuditTrail,
  ) {}

  /** @throws AppError NOT_FOUND, CONFLICT, AGENT_OFFLINE, ALREADY_RUNNING */
  start(actor: Actor, backupId: string): Promise<ExportAnswer> {
    const { workspaceId } = actor;
    return this.database.inWorkspace(workspaceId, async (tx) => {
      const { backup, links } = await chainLocked(tx, workspaceId, backupId);
      assertExportable(backup);
      const agent = await this.agentOf(tx, backup);
      const timeLimitMs = (await timeLimitOf(tx, backup.jobId)) * 60_000;
      const fence = await this.nextFence(tx, backup.id, timeLimitMs);
      const { databaseName } = await this.databases.get(tx, workspaceId, backup.databaseId);
      const commandId = newId();
      const payload: ExportPayload = {
        backup: locationOf(backup),
        links,
        agentPath: await agentPathOf(tx, backup.storageId, agent.id),
        keyRef: null,
        signedBy: null,
        fileName: fileNameOf(databaseName, backup, commandId),
        timeLimitMs,
      };
      const resource = exportResource(backup.id);
      const order = { id: commandId, workspaceId, agentId: agent.id, type: 'backup:export' as const, resource, fence, payload };
      await this.outbox.enqueue(tx, { ...order, sealed: [], expiresInMs: this.config.leaseMs });
      const detail = { commandId, agentId: agent.id, fileName: payload.fileName };
      await this.audit.record(tx, {
        workspaceId,
        actor,
        action: 'backup.export_requested',
        targetType: 'backup',
        targetId: backup.id,
        detail,
      });
      const message = `The agent on ${agent.deviceName} writes ${payload.fileName} into its export folder. The file is not encrypted.`;
      return { success: true, status: 'sent_to_agent', message, commandId };
    });
  }

  /** @throws AppError NOT_FOUND */
  view(actor: Actor, commandId: string): Promise<ExportView> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const command = await tx.findOneBy(CommandRow, { id: commandId, workspaceId: actor.workspaceId, type: 'backup:export' });
      if (command === null) throw new AppError('NOT_FOUND', 'There is no such export in this workspace. Start one on a backup.');
      return toExportView(command);
    });
  }

  /** The agent that made a backup holds its key, and its folder when it lies there. */
  private async agentOf(tx: Tx, { workspaceId, agentId }: BackupRow): Promise<AgentRow> {
    const agent = await this.agents.get(tx, workspaceId, agentId);
    if (this.agents.isOnline(agent)) return agent;
    throw new AppError(
      'AGENT_OFFLINE',
      `The agent on ${agent.deviceName}, which made this backup, is offline. Start it, then export again.`,
      {
        agentId,
        lastSeenAt: agent.lastSeenAt?.toISOString() ?? null,
      },
    );
  }

  private async nextFence(tx: Tx, backupId: string, timeLimitMs: number): Promise<number> {
    const last = await lastOrderOf(tx, 'backup:export', exportResource(backupId));
    if (last?.isOpen === true) await this.giveUp(tx, last, timeLimitMs);
    return (last?.fence ?? 0) + 1;
  }

  private async giveUp(tx: Tx, last: LastOrderOf, timeLimitMs: number): Promise<void> {
    if (Date.now() - last.createdAt.getTime() < timeLimitMs + GRACE_MS) {
      throw new AppError('ALREADY_RUNNING', 'An export of this backup is running. Wait until it has ended, then start again.', {
        commandId: last.id,
      });
    }
    const error = { code: 'AGENT_TIMEOUT', message: 'The agent never said how this export ended.' };
    await this.outbox.markEnded(tx, last.id, 'expired', { error });
  }
}

function assertExportable(backup: BackupRow): void {
  if (backup.status === 'success' && backup.deletingAt === null) return;
  throw new AppError('CONFLICT', 'Only a successful backup that is not being deleted can be exported. Choose another one.', {
    status: backup.deletingAt === null ? backup.status : 'deleting',
  });
}

/** Says what it holds, and is never the name of another export. */
function fileNameOf(databaseName: string, { startedAt }: BackupRow, commandId: string): string {
  const plain = databaseName.replaceAll(/[^A-Za-z0-9_-]+/g, '-').replaceAll(/^-+|-+$/g, '');
  const at = startedAt.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${plain.slice(0, 80) || 'database'}-${at}-${commandId.replaceAll('-', '').slice(-12)}.sql`;
}

function toExportView(command: CommandRow): ExportView {
  const { backup, fileName } = command.payload as ExportPayload;
  const { path, sizeBytes, sha256, error } = (command.result ?? {}) as Partial<ExportResult>;
  return {
    commandId: command.id,
    backupId: backup.backupId,
    agentId: command.agentId,
    fileName,
    state: command.state,
    path: path ?? null,
    sizeBytes: sizeBytes ?? null,
    sha256: sha256 ?? null,
    errorCode: error?.code ?? null,
    errorMessage: error?.message ?? null,
    requestedAt: command.createdAt.toISOString(),
    endedAt: command.endedAt?.toISOString() ?? null,
  };
}
