import { Injectable } from '@nestjs/common';
import type { AttemptStep, BackupLocation, ErrorCode, VerificationPayload, VerificationStatus } from '@rahatback/contracts';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database, type Tx } from '../../platform/database/database.js';
import { LiveEvents } from '../../platform/realtime/live-events.js';
import { CommandOutbox, CommandRow, LeaseService } from '../agents/index.js';
import { AuditTrail, type AuditActor } from '../audit/index.js';
import { judgeBackup, markDamaged, type BackupRow } from '../backups/index.js';
import { damagesOf, judgementAfter, type Damage } from './verification-judgement.js';
import type { VerificationEventName } from './verification-states.js';
import type { Findings, Verdict } from './verification-verdict.js';
import type { VerificationRow } from './verification.entity.js';
import { moveVerification, verificationResource } from './verification.repository.js';

export interface VerificationWords {
  readonly steps: readonly AttemptStep[];
  readonly logTail: string;
}

/** Why a backup could not be judged. */
export interface Skip {
  readonly code: ErrorCode;
  readonly message: string;
  readonly words?: VerificationWords;
  /** The agent may still be at work and does not know yet. */
  readonly tellAgent?: boolean;
}

export interface VerificationEnd {
  readonly findings: Findings;
  readonly verdict: Verdict;
  readonly words: VerificationWords;
}

const EVENTS: Readonly<Record<Verdict['status'], VerificationEventName>> = { PASSED: 'pass', FAILED: 'fail', SKIPPED: 'skip' };

const EVENT_OF = {
  PENDING: 'verification:started',
  PASSED: 'verification:completed',
  FAILED: 'verification:completed',
  SKIPPED: 'verification:failed',
} as const;

/**
 * Every way in which a verification ends. Row, command and lease move together in the caller's transaction; each method returns whether it was the
 * one that ended it. What is no verdict is SKIPPED and says nothing against the backup. Rows are locked in the order backups, verification, lease,
 * agent, command, as starts and heartbeats do.
 */
@Injectable()
export class VerificationSettlement {
  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly leases: LeaseService,
    private readonly outbox: CommandOutbox,
    private readonly audit: AuditTrail,
    private readonly live: LiveEvents,
  ) {}

  /** `backups` are locked: the verified one, and the links that the findings name. */
  async complete(tx: Tx, verification: VerificationRow, end: VerificationEnd, backups: readonly BackupRow[]): Promise<boolean> {
    const { findings, verdict, words } = end;
    const { checks, tables, tablesTotal, tablesEqual, restoreMs } = findings;
    const error = verdict.status === 'FAILED' ? { errorCode: 'VERIFICATION_FAILED' as const, errorMessage: verdict.reason } : {};
    const seen = { checks, tables, tablesTotal, tablesEqual, restoreMs, reason: verdict.reason };
    if (!(await moveVerification(tx, verification, EVENTS[verdict.status], { ...words, ...seen, ...error }))) return false;
    if (verdict.status !== 'SKIPPED') await this.judge(tx, verification, { ...end, status: verdict.status }, backups);
    await this.release(tx, verification);
    await this.outbox.markEnded(tx, verification.commandId, 'succeeded');
    const code = verdict.status === 'FAILED' ? 'VERIFICATION_FAILED' : undefined;
    await this.after(tx, verification, { actor: { agentId: verification.agentId }, status: verdict.status, code });
    return true;
  }

  async skip(tx: Tx, verification: VerificationRow, skip: Skip): Promise<boolean> {
    const { code, message, words } = skip;
    const error = { errorCode: code, errorMessage: message, reason: message };
    if (!(await moveVerification(tx, verification, 'skip', { ...error, ...words }))) return false;
    await this.release(tx, verification);
    if (skip.tellAgent === true) await this.tellToStop(tx, verification);
    await this.outbox.markEnded(tx, verification.commandId, 'failed', { error: { code, message } });
    await this.after(tx, verification, { actor: 'system', status: 'SKIPPED', code });
    return true;
  }

  /** The agent hears of it afterwards. */
  async cancel(tx: Tx, verification: VerificationRow, actor: AuditActor): Promise<boolean> {
    const message = 'The verification was cancelled.';
    const error = { errorCode: 'CANCELLED', errorMessage: message, reason: message } as const;
    if (!(await moveVerification(tx, verification, 'skip', error))) return false;
    await this.release(tx, verification);
    if (!(await this.outbox.cancelPending(tx, verification.commandId))) {
      await this.tellToStop(tx, verification);
      await this.outbox.markEnded(tx, verification.commandId, 'cancelled');
    }
    await this.after(tx, verification, { actor, status: 'SKIPPED', code: 'CANCELLED' });
    return true;
  }

  announce(
    tx: Tx,
    verification: Pick<VerificationRow, 'id' | 'backupId' | 'workspaceId' | 'level'>,
    status: VerificationStatus,
    errorCode?: ErrorCode,
  ): void {
    const event = {
      verificationId: verification.id,
      historyId: verification.backupId,
      verificationLevel: verification.level,
      status,
      ...(errorCode === undefined ? {} : { errorCode }),
    };
    this.database.afterCommit(tx, () => this.live.toWorkspace(verification.workspaceId, EVENT_OF[status], event));
  }

  /** What the verdict makes of the backup, and of a link in which the damage lies: neither is a base of a new backup from now on. */
  private async judge(
    tx: Tx,
    verification: VerificationRow,
    { findings, status }: VerificationEnd & { readonly status: 'PASSED' | 'FAILED' },
    backups: readonly BackupRow[],
  ): Promise<void> {
    const backup = backups.find(({ id }) => id === verification.backupId);
    if (backup === undefined) return;
    const { level } = verification;
    const after = judgementAfter(backup, { status, level });
    if (after === null) return;
    const damages = status === 'FAILED' ? damagesOf(findings.checks) : [];
    const measured = level === 'FULL' && findings.restoreMs !== null ? { measuredRestoreMs: findings.restoreMs } : {};
    await judgeBackup(tx, backup.id, {
      verificationStatus: after.status,
      verificationLevel: after.level,
      damage: status === 'PASSED' ? null : (ownOf(damages, backup.id) ?? backup.damage),
      ...measured,
    });
    for (const link of backups) {
      const damage = damages.find(({ backupId }) => backupId === link.id && backupId !== backup.id);
      if (damage !== undefined) await markDamaged(tx, link.id, damage.sentence);
    }
  }

  private async tellToStop(tx: Tx, verification: VerificationRow): Promise<void> {
    await this.outbox.enqueue(tx, {
      workspaceId: verification.workspaceId,
      agentId: verification.agentId,
      type: 'verification:cancel',
      resource: verificationResource(verification.backupId),
      fence: verification.fence,
      payload: { targetCommandId: verification.commandId },
      sealed: [],
      expiresInMs: this.config.leaseMs,
    });
  }

  private release(tx: Tx, verification: VerificationRow): Promise<void> {
    return this.leases.release(tx, verificationResource(verification.backupId), verification.fence);
  }

  private async after(
    tx: Tx,
    verification: VerificationRow,
    { actor, status, code }: { actor: AuditActor; status: VerificationStatus; code: ErrorCode | undefined },
  ): Promise<void> {
    const word = code === 'CANCELLED' ? 'cancelled' : status.toLowerCase();
    await this.audit.record(tx, {
      workspaceId: verification.workspaceId,
      actor,
      action: `verification.${word}`,
      targetType: 'verification',
      targetId: verification.id,
      outcome: status === 'FAILED' || word === 'skipped' ? 'failure' : 'success',
      ...(code === undefined ? {} : { detail: { code } }),
    });
    this.announce(tx, verification, status, code);
  }
}

/** A backup whose chain is damaged cannot be restored either, so it says what its link says. */
const ownOf = (damages: readonly Damage[], backupId: string): string | null => {
  const own = damages.find((damage) => damage.backupId === backupId) ?? damages.find((damage) => damage.backupId === null);
  return (own ?? damages[0])?.sentence ?? null;
};

/** The backups that a report may speak of: the verified one and those of its links that its command named. */
export const readBackups = async (tx: Tx, commandId: string): Promise<readonly BackupLocation[]> => {
  const command = await tx.findOneByOrFail(CommandRow, { id: commandId });
  const { backup, links } = command.payload as VerificationPayload;
  return [backup, ...links];
};
