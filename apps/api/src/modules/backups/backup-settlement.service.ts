import { Injectable } from '@nestjs/common';
import type { BackupPayload, ErrorCode, SealedSecret } from '@rahatback/contracts';
import { ERROR_RULES } from '@rahatback/contracts';
import { AppConfig } from '../../platform/config/app-config.js';
import type { Tx } from '../../platform/database/database.js';
import { newId } from '../../platform/ids.js';
import { CommandOutbox, LeaseService } from '../agents/index.js';
import { AuditTrail, type AuditActor } from '../audit/index.js';
import { nextAttemptPayload } from './backup-command.js';
import { endAttempt, insertAttempt } from './backup-attempt.repository.js';
import type { BackupAttemptRow } from './backup-attempt.entity.js';
import { BackupSignals } from './backup-signals.service.js';
import type { BackupRow } from './backup.entity.js';
import type { BackupChange } from './backup.repository.js';
import { backupResource, moveBackup } from './backup.repository.js';
import type { Words } from './agent-frames.js';

/** A backup and its current attempt, read in the caller's transaction with the backup locked. */
export interface Work {
  readonly backup: BackupRow;
  readonly attempt: BackupAttemptRow;
}

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly words?: Words;
  /** The agent may still be at work and does not know yet. */
  readonly tellAgent?: boolean;
}

/** What the next attempt is told: the old command's order and its sealed secrets, read before the old command is ended. */
export interface LastOrder {
  readonly payload: BackupPayload;
  readonly sealed: readonly SealedSecret[];
}

interface Trace {
  readonly actor: AuditActor;
  readonly action: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

const MAX_ATTEMPTS = 2;

/** Another try may help when the world failed us; not when the agent was told to stop, or took nothing on. */
const NEVER_RETRIED: readonly ErrorCode[] = ['FENCED', 'COMMAND_EXPIRED', 'LEASE_EXPIRED'];

/**
 * Every way in which a backup ends, or begins again. Each method moves row, attempt, command and lease together in the caller's transaction and
 * returns whether it was the one that did: of several that try at once exactly one wins. Rows are locked in one order everywhere (backup, lease,
 * agent, command; heartbeats do the same), so that nobody waits for each other.
 */
@Injectable()
export class BackupSettlement {
  constructor(
    private readonly config: AppConfig,
    private readonly leases: LeaseService,
    private readonly outbox: CommandOutbox,
    private readonly audit: AuditTrail,
    private readonly signals: BackupSignals,
  ) {}

  async succeed(tx: Tx, { backup, attempt }: Work, change: BackupChange): Promise<boolean> {
    const ref = { backupId: backup.id, fence: attempt.fence };
    if (!(await moveBackup(tx, ref, 'publish', { ...change, errorCode: null, errorMessage: null }))) return false;
    await endAttempt(tx, ref, 'publish', {});
    await this.leases.release(tx, backupResource(backup.jobId), attempt.fence);
    await this.outbox.markEnded(tx, attempt.commandId, 'succeeded');
    await this.record(tx, backup, { actor: { agentId: backup.agentId }, action: 'backup.succeeded' });
    this.signals.changed(tx, backup, 'success');
    return true;
  }

  /** Once, and in time, an operational failure gets a new attempt under a new fence; anything else ends the row. */
  async failOrRetry(tx: Tx, work: Work, failure: Failure, order: LastOrder | null): Promise<boolean> {
    const { backup } = work;
    const remainingMs = (backup.deadlineAt?.getTime() ?? 0) - Date.now();
    const mayRetry =
      order !== null &&
      backup.attempt < MAX_ATTEMPTS &&
      remainingMs > 0 &&
      ERROR_RULES[failure.code].kind === 'operational' &&
      !NEVER_RETRIED.includes(failure.code);
    if (mayRetry && !backup.publishing && (await this.leases.holds(tx, backupResource(backup.jobId), work.attempt.fence))) {
      return this.retry(tx, work, failure, { ...order, payload: nextAttemptPayload(order.payload, backup.fence, remainingMs) });
    }
    return this.fail(tx, work, failure, 'fail');
  }

  /** `fence` instead of `fail` says that the agent stayed away past its lease. */
  async fail(tx: Tx, work: Work, failure: Failure, event: 'fail' | 'fence'): Promise<boolean> {
    const { backup, attempt } = work;
    const ref = { backupId: backup.id, fence: attempt.fence };
    const error = { errorCode: failure.code, errorMessage: failure.message };
    if (!(await moveBackup(tx, ref, 'fail', error))) return false;
    await endAttempt(tx, ref, event, { ...error, ...failure.words });
    await this.leases.release(tx, backupResource(backup.jobId), attempt.fence);
    if (failure.tellAgent === true) await this.tellToStop(tx, work);
    await this.outbox.markEnded(tx, attempt.commandId, 'failed', { error: { code: failure.code, message: failure.message } });
    await this.record(tx, backup, { actor: 'system', action: 'backup.failed', detail: { code: failure.code } });
    this.signals.changed(tx, backup, 'failed', failure.code);
    this.signals.cleanupNeeded(tx);
    return true;
  }

  /** The agent hears of it afterwards; the row does not wait for it. */
  async cancel(tx: Tx, work: Work, actor: AuditActor): Promise<boolean> {
    const { backup, attempt } = work;
    const ref = { backupId: backup.id, fence: attempt.fence };
    const error = { errorCode: 'CANCELLED', errorMessage: 'The backup was cancelled.' } as const;
    if (!(await moveBackup(tx, ref, 'cancel', error))) return false;
    await endAttempt(tx, ref, 'cancel', error);
    await this.leases.release(tx, backupResource(backup.jobId), attempt.fence);
    if (!(await this.outbox.cancelPending(tx, attempt.commandId))) {
      await this.tellToStop(tx, work);
      await this.outbox.markEnded(tx, attempt.commandId, 'cancelled');
    }
    await this.record(tx, backup, { actor, action: 'backup.cancelled' });
    this.signals.changed(tx, backup, 'cancelled', 'CANCELLED');
    this.signals.cleanupNeeded(tx);
    return true;
  }

  /** Asks the agent to stop what its command has begun. The command itself is ended by the caller. */
  private async tellToStop(tx: Tx, { backup, attempt }: Work): Promise<void> {
    await this.outbox.enqueue(tx, {
      workspaceId: backup.workspaceId,
      agentId: backup.agentId,
      type: 'job:cancel',
      resource: backupResource(backup.jobId),
      fence: attempt.fence,
      payload: { targetCommandId: attempt.commandId },
      sealed: [],
      expiresInMs: this.config.leaseMs,
    });
  }

  private async retry(tx: Tx, { backup, attempt }: Work, failure: Failure, order: LastOrder): Promise<boolean> {
    const resource = backupResource(backup.jobId);
    const ref = { backupId: backup.id, fence: attempt.fence };
    const fence = await this.leases.bump(tx, resource, {
      fence: attempt.fence,
      holder: backup.agentId,
      ttlMs: this.config.leaseMs,
    });
    const payload = { ...order.payload, location: { ...order.payload.location, fence } };
    if (!(await moveBackup(tx, ref, 'retry', { fence, attempt: payload.attempt, progress: null }))) return false;
    await endAttempt(tx, ref, 'fail', { errorCode: failure.code, errorMessage: failure.message, ...failure.words });
    const commandId = newId();
    await insertAttempt(tx, {
      backupId: backup.id,
      fence,
      workspaceId: backup.workspaceId,
      attempt: payload.attempt,
      commandId,
      state: 'running',
    });
    await this.outbox.enqueue(tx, {
      id: commandId,
      workspaceId: backup.workspaceId,
      agentId: backup.agentId,
      type: 'job:execute',
      resource,
      fence,
      payload,
      sealed: order.sealed,
      expiresInMs: this.config.leaseMs,
    });
    await this.outbox.markEnded(tx, attempt.commandId, 'failed', { error: { code: failure.code, message: failure.message } });
    await this.record(tx, backup, { actor: 'system', action: 'backup.retried', detail: { code: failure.code, fence } });
    this.signals.changed(tx, backup, 'running');
    this.signals.cleanupNeeded(tx);
    return true;
  }

  private record(tx: Tx, backup: BackupRow, trace: Trace): Promise<void> {
    const { actor, action, detail } = trace;
    return this.audit.record(tx, {
      workspaceId: backup.workspaceId,
      actor,
      action,
      targetType: 'backup',
      targetId: backup.id,
      outcome: action === 'backup.failed' ? 'failure' : 'success',
      ...(detail === undefined ? {} : { detail }),
    });
  }
}
