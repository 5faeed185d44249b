import { Injectable } from '@nestjs/common';
import type { RestoreAnswer, RestorePayload } from '@rahatback/contracts';
import { AppError, RestoreDto } from '@rahatback/contracts';
import { AppConfig } from '../../platform/config/app-config.js';
import { isUniqueViolation } from '../../platform/database/database-errors.js';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { newId } from '../../platform/ids.js';
import { CommandOutbox, LeaseService } from '../agents/index.js';
import { AuditTrail } from '../audit/index.js';
import { locationOf } from '../backups/index.js';
import { connectionOf } from '../databases/index.js';
import { RestoreSettlement } from './restore-settlement.service.js';
import { RestoreSubjects, type RestoreSubject } from './restore-subjects.service.js';
import { insertRestore, restoreResource } from './restore.repository.js';

const alreadyRunning = (target: string): AppError =>
  new AppError(
    'ALREADY_RUNNING',
    `A restore into "${target}" is running. Wait until it has ended, cancel it, or choose another target.`,
  );

/** Starts a restore beside the live database: row, lease, command and audit in one transaction. */
@Injectable()
export class RestoreStart {
  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly subjects: RestoreSubjects,
    private readonly leases: LeaseService,
    private readonly outbox: CommandOutbox,
    private readonly audit: AuditTrail,
    private readonly settlement: RestoreSettlement,
  ) {}

  async start(actor: Actor, backupId: string, dto: RestoreDto): Promise<RestoreAnswer> {
    try {
      return await this.database.inWorkspace(actor.workspaceId, async (tx) => {
        const subject = await this.subjects.forStart(tx, actor.workspaceId, backupId, dto.targetDatabase);
        return this.begin(tx, actor, subject);
      });
    } catch (error) {
      if (isUniqueViolation(error, 'restores_one_running')) throw alreadyRunning(dto.targetDatabase ?? 'this target');
      throw error;
    }
  }

  private async begin(tx: Tx, actor: Actor, subject: RestoreSubject): Promise<RestoreAnswer> {
    const { backup, database, agent, target, timeLimitMinutes } = subject;
    const restoreId = newId();
    const commandId = newId();
    const resource = restoreResource(database.id, target);
    const fence = await this.claim(tx, subject, restoreId);
    const ids = { workspaceId: actor.workspaceId, backupId: backup.id, databaseId: database.id, agentId: agent.id };
    await insertRestore(tx, {
      ...ids,
      id: restoreId,
      commandId,
      fence,
      targetDatabase: target,
      status: 'running',
      requestedBy: actor.userId,
      startedAt: () => 'clock_timestamp()',
      deadlineAt: () => `clock_timestamp() + interval '${timeLimitMinutes} minutes'`,
    });
    const payload: RestorePayload = {
      restoreId,
      backup: locationOf(backup),
      links: subject.links,
      agentPath: null,
      keyRef: null,
      signedBy: null,
      selection: [],
      parallelism: 1,
      connection: connectionOf(database),
      targetDatabase: target,
      timeLimitMs: timeLimitMinutes * 60_000,
    };
    const sealed = database.password === null ? [] : [database.password];
    const { workspaceId, agentId } = ids;
    const command = { id: commandId, workspaceId, agentId, type: 'restore:execute' as const, resource, fence, payload, sealed };
    await this.outbox.enqueue(tx, { ...command, expiresInMs: this.config.leaseMs });
    await this.audit.record(tx, {
      workspaceId,
      actor,
      action: 'restore.started',
      targetType: 'restore',
      targetId: restoreId,
      detail: { backupId: backup.id, targetDatabase: target },
    });
    this.settlement.announce(tx, { id: restoreId, backupId: backup.id, workspaceId }, 'running');
    return {
      success: true,
      status: 'sent_to_agent',
      message: `The restore into "${target}" was handed to the agent on ${agent.deviceName}.`,
      restoreHistoryId: restoreId,
    };
  }

  private claim(tx: Tx, { database, agent, target }: RestoreSubject, operationId: string): Promise<number> {
    return this.leases
      .acquire(tx, {
        resource: restoreResource(database.id, target),
        workspaceId: database.workspaceId,
        holder: agent.id,
        operationId,
        ttlMs: this.config.leaseMs,
      })
      .catch((error: unknown) => {
        throw error instanceof AppError && error.code === 'ALREADY_RUNNING' ? alreadyRunning(target) : error;
      });
  }
}
