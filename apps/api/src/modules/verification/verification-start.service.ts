import { Injectable } from '@nestjs/common';
import type { VerificationLevel, VerificationPayload, VerificationTrigger, VerifyAnswer, VerifyDto } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { AppConfig } from '../../platform/config/app-config.js';
import { isUniqueViolation } from '../../platform/database/database-errors.js';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { newId } from '../../platform/ids.js';
import { CommandOutbox, LeaseService } from '../agents/index.js';
import { AuditTrail } from '../audit/index.js';
import { locationOf, type AwaitingVerification } from '../backups/index.js';
import { agentPathOf } from '../storages/index.js';
import { VerificationSettlement } from './verification-settlement.service.js';
import { VerificationSubjects, type VerificationSubject } from './verification-subjects.service.js';
import { insertVerification, verificationResource } from './verification.repository.js';

interface Order {
  readonly actor: Actor | 'system';
  readonly level: VerificationLevel;
  readonly trigger: VerificationTrigger;
  /** How long the agent may take to accept it. */
  readonly waitMs: number;
}

/** One pending verification of a backup, and one ever that its job asked for. */
const UNIQUE = ['verifications_one_pending', 'verifications_one_after_backup'] as const;

const alreadyRunning = (): AppError =>
  new AppError('ALREADY_RUNNING', 'This backup is being verified. Wait until that has ended, or cancel it, then verify again.');

/** Starts a verification: row, lease, command and audit in one transaction. */
@Injectable()
export class VerificationStart {
  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly subjects: VerificationSubjects,
    private readonly leases: LeaseService,
    private readonly outbox: CommandOutbox,
    private readonly audit: AuditTrail,
    private readonly settlement: VerificationSettlement,
  ) {}

  /** @throws AppError NOT_FOUND, CONFLICT, AGENT_OFFLINE, ALREADY_RUNNING */
  async byHand(actor: Actor, backupId: string, dto: VerifyDto): Promise<VerifyAnswer> {
    const level = dto.verificationLevel ?? 'BASIC';
    const { verificationId, agent } = await this.start(actor.workspaceId, backupId, async (tx, subject) => {
      this.subjects.requireOnline(subject.agent);
      return this.begin(tx, subject, { actor, level, trigger: 'manual', waitMs: this.config.leaseMs });
    });
    return {
      success: true,
      status: 'sent_to_agent',
      message: `The ${level} verification was handed to the agent on ${agent.deviceName}.`,
      verificationId,
    };
  }

  /**
   * For a job that verifies what it makes. An agent that is away gets the command when it is back, as long as that waits. A second call for one
   * backup is refused by a unique index, however many workers try.
   * @throws AppError CONFLICT, ALREADY_RUNNING
   */
  async afterBackup({ id, workspaceId, level }: AwaitingVerification): Promise<void> {
    await this.start(workspaceId, id, (tx, subject) =>
      this.begin(tx, subject, { actor: 'system', level, trigger: 'after_backup', waitMs: this.config.leaseMs }),
    );
  }

  private async start(
    workspaceId: string,
    backupId: string,
    begin: (tx: Tx, subject: VerificationSubject) => Promise<string>,
  ): Promise<{ verificationId: string; agent: VerificationSubject['agent'] }> {
    try {
      return await this.database.inWorkspace(workspaceId, async (tx) => {
        const subject = await this.subjects.forStart(tx, workspaceId, backupId);
        return { verificationId: await begin(tx, subject), agent: subject.agent };
      });
    } catch (error) {
      const isSecond =
        UNIQUE.some((index) => isUniqueViolation(error, index)) ||
        (error instanceof AppError && error.code === 'ALREADY_RUNNING');
      throw isSecond ? alreadyRunning() : error;
    }
  }

  private async begin(tx: Tx, subject: VerificationSubject, { actor, level, trigger, waitMs }: Order): Promise<string> {
    const { backup, links, agent, databaseType, timeLimitMinutes } = subject;
    const { workspaceId } = backup;
    const id = newId();
    const commandId = newId();
    const resource = verificationResource(backup.id);
    // Nobody may be there yet for an automatic one: that it was not taken in time is then said by the command itself, and not by its lease.
    const ttlMs = trigger === 'manual' ? waitMs : 2 * waitMs;
    const lease = { resource, workspaceId, holder: agent.id, operationId: id, ttlMs };
    const fence = await this.leases.acquire(tx, lease);
    const ids = { workspaceId, backupId: backup.id, databaseId: backup.databaseId, agentId: agent.id };
    await insertVerification(tx, {
      ...ids,
      id,
      commandId,
      fence,
      level,
      trigger,
      status: 'PENDING',
      requestedBy: actor === 'system' ? null : actor.userId,
      startedAt: () => 'clock_timestamp()',
      deadlineAt: () => `clock_timestamp() + interval '${timeLimitMinutes} minutes' + interval '${waitMs} milliseconds'`,
    });
    const payload: VerificationPayload = {
      verificationId: id,
      level,
      databaseType,
      backup: locationOf(backup),
      links,
      agentPath: await agentPathOf(tx, backup.storageId, agent.id),
      keyRef: null,
      signedBy: null,
      timeLimitMs: timeLimitMinutes * 60_000,
    };
    const command = { id: commandId, workspaceId, agentId: agent.id, type: 'verification:execute' as const, resource, fence };
    await this.outbox.enqueue(tx, { ...command, payload, sealed: [], expiresInMs: waitMs });
    await this.audit.record(tx, {
      workspaceId,
      actor,
      action: 'verification.started',
      targetType: 'verification',
      targetId: id,
      detail: { backupId: backup.id, level, trigger },
    });
    this.settlement.announce(tx, { id, backupId: backup.id, workspaceId, level }, 'PENDING');
    return id;
  }
}
