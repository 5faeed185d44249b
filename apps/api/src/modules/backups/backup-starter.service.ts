import { Injectable } from '@nestjs/common';
import type { RunAnswer } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database, type Tx } from '../../platform/database/database.js';
import { crashPoint } from '@rahatback/backup-core/crash-point';
import type { Actor } from '../../platform/http/actor.js';
import { newId } from '../../platform/ids.js';
import { CommandOutbox, LeaseService, type AgentRow } from '../agents/index.js';
import { AuditTrail } from '../audit/index.js';
import { insertAttempt, PLAN_STEP } from './backup-attempt.repository.js';
import { planChain, type ChainPlan } from './backup-chain.js';
import { backupPayload, backupSecrets } from './backup-command.js';
import { BackupSignals } from './backup-signals.service.js';
import type { BackupSubject } from './backup-subjects.service.js';
import { backupResource, DB_NOW, insertBackup, lockNewestChain } from './backup.repository.js';

export interface Start {
  readonly actor: Actor;
  readonly subject: BackupSubject;
  readonly backupId: string;
  readonly fence: number;
}

export const alreadyRunning = (): AppError =>
  new AppError('ALREADY_RUNNING', 'A backup of this job is running. Wait until it has ended, or cancel it, then start again.');

/** The writes of a start. */
@Injectable()
export class BackupStarter {
  constructor(
    private readonly database: Database,
    private readonly leases: LeaseService,
    private readonly outbox: CommandOutbox,
    private readonly audit: AuditTrail,
    private readonly signals: BackupSignals,
    private readonly config: AppConfig,
  ) {}

  async claim(tx: Tx, { job, database }: BackupSubject, backupId: string): Promise<number> {
    return this.leases
      .acquire(tx, {
        resource: backupResource(job.id),
        workspaceId: job.workspaceId,
        holder: database.agentId,
        operationId: backupId,
        ttlMs: this.config.leaseMs,
      })
      .catch((error: unknown) => {
        throw error instanceof AppError && error.code === 'ALREADY_RUNNING' ? alreadyRunning() : error;
      });
  }

  async begin(tx: Tx, start: Start, agent: AgentRow): Promise<RunAnswer> {
    const { subject, backupId, fence } = start;
    const { job, database } = subject;
    const plan = await this.plan(tx, subject);
    const commandId = newId();
    await insertBackup(tx, {
      ...this.rowOf(start, plan),
      status: 'running',
      deadlineAt: () => `clock_timestamp() + interval '${job.timeLimitMinutes} minutes'`,
    });
    const attempt = { backupId, fence, workspaceId: job.workspaceId, attempt: 1, commandId, state: 'running' as const };
    await insertAttempt(tx, {
      ...attempt,
      steps: plan.fullBecause === null ? [] : [{ name: PLAN_STEP, at: new Date().toISOString(), detail: plan.fullBecause }],
    });
    this.database.afterCommit(tx, () => crashPoint('api.backup.after_commit'));
    const order = { backupId, fence, job, database, plan, recoveryRecipient: subject.recoveryRecipient };
    await this.outbox.enqueue(tx, {
      id: commandId,
      workspaceId: job.workspaceId,
      agentId: agent.id,
      type: 'job:execute',
      resource: backupResource(job.id),
      fence,
      payload: backupPayload(order),
      sealed: backupSecrets(order),
      expiresInMs: this.config.leaseMs,
    });
    await this.record(tx, start, 'backup.started', { jobId: job.id, backupType: plan.backupType });
    this.signals.changed(tx, { id: backupId, jobId: job.id, databaseId: database.id, workspaceId: job.workspaceId }, 'running');
    return {
      success: true,
      status: 'sent_to_agent',
      message: `The backup of "${database.name}" was handed to the agent on ${agent.deviceName}.`,
      historyId: backupId,
    };
  }

  /** Nothing was begun, so nothing is held: the row only says that this backup was due and why it was not made. */
  async skip(tx: Tx, start: Start, agent: AgentRow): Promise<RunAnswer> {
    const { subject, backupId, fence } = start;
    const { job, database } = subject;
    await this.leases.release(tx, backupResource(job.id), fence);
    const seen = agent.lastSeenAt === null ? 'has never been online' : `was last seen at ${agent.lastSeenAt.toISOString()}`;
    const message = `The agent on ${agent.deviceName} is offline (it ${seen}). Start it, then run the job again.`;
    await insertBackup(tx, {
      ...this.rowOf(start, null),
      status: 'skipped',
      completedAt: DB_NOW,
      errorCode: 'AGENT_OFFLINE',
      errorMessage: message,
    });
    await this.record(tx, start, 'backup.skipped', { jobId: job.id });
    const row = { id: backupId, jobId: job.id, databaseId: database.id, workspaceId: job.workspaceId };
    this.signals.changed(tx, row, 'skipped', 'AGENT_OFFLINE');
    return { success: false, status: 'skipped', message, historyId: backupId };
  }

  private async plan(tx: Tx, { job, database }: BackupSubject): Promise<ChainPlan> {
    const chain = job.backupType === 'full' ? [] : await lockNewestChain(tx, job.id);
    const terms = {
      agentId: database.agentId,
      storageId: job.storageId,
      compression: job.compression,
      passphraseVersion: job.passphraseVersion,
    };
    return planChain({ ...terms, backupType: job.backupType, maxChainLength: job.maxChainLength }, chain, newId());
  }

  private rowOf({ actor, subject, backupId, fence }: Start, plan: ChainPlan | null) {
    const { job, database } = subject;
    return {
      id: backupId,
      workspaceId: job.workspaceId,
      jobId: job.id,
      databaseId: database.id,
      storageId: job.storageId,
      agentId: database.agentId,
      publishing: false,
      backupType: plan?.backupType ?? job.backupType,
      compression: job.compression,
      fence,
      attempt: 1,
      chainId: plan?.chainId ?? null,
      baseBackupId: plan?.baseBackupId ?? null,
      chainPosition: plan?.chainPosition ?? 1,
      passphraseVersion: job.passphraseVersion,
      verifyAfter: plan !== null && job.autoVerifyAfterBackup ? (job.verificationLevel ?? 'BASIC') : null,
      startedAt: DB_NOW,
      requestedBy: actor.userId,
    };
  }

  private record(tx: Tx, start: Start, action: string, detail: Record<string, unknown>): Promise<void> {
    return this.audit.record(tx, {
      workspaceId: start.actor.workspaceId,
      actor: start.actor,
      action,
      targetType: 'backup',
      targetId: start.backupId,
      outcome: action === 'backup.skipped' ? 'failure' : 'success',
      detail,
    });
  }
}
