import { Injectable, Logger } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import { LeaseService } from '../agents/index.js';
import { findAwaitingVerification, forgetAwaitingVerification, OneAtATime } from '../backups/index.js';
import { VerificationSettlement } from './verification-settlement.service.js';
import { VerificationStart } from './verification-start.service.js';
import { findLostVerifications, tryLockVerification, verificationResource } from './verification.repository.js';

const BATCH = 100;

/**
 * Ends verifications whose agent stayed away past its lease or that overran their time, and starts those that jobs want after a backup. A backup
 * carries the wish since its start, so whatever dies between its success and its verification, the next round finds it, and finds no older backup.
 * Several workers may sweep at once.
 */
@Injectable()
export class VerificationWatchdog {
  private readonly log = new Logger(VerificationWatchdog.name);
  private readonly sweep = new OneAtATime(() => this.round());

  constructor(
    private readonly database: Database,
    private readonly leases: LeaseService,
    private readonly settlement: VerificationSettlement,
    private readonly starting: VerificationStart,
  ) {}

  run(): Promise<void> {
    return this.sweep.run();
  }

  private async round(): Promise<void> {
    const lost = await this.database.asSystem('verification watchdog', (tx) => findLostVerifications(tx, BATCH));
    for (const { id, workspaceId, late } of lost) {
      try {
        await this.database.inWorkspace(workspaceId, (tx) => this.end(tx, id, late));
      } catch (error) {
        this.log.error({ err: error, verificationId: id }, 'A lost verification could not be settled; it is tried again.');
      }
    }
    await this.startAwaited();
  }

  private async startAwaited(): Promise<void> {
    const awaited = await this.database.asSystem('verification after backup', (tx) => findAwaitingVerification(tx, BATCH));
    for (const backup of awaited) {
      try {
        await this.starting.afterBackup(backup);
      } catch (error) {
        // Somebody else was faster: another worker, a person, or a deletion.
        if (error instanceof AppError && ['ALREADY_RUNNING', 'CONFLICT', 'NOT_FOUND'].includes(error.code)) continue;
        this.log.error({ err: error, backupId: backup.id }, 'A verification could not be started; it is tried again.');
      }
    }
    if (awaited.length > 0) await this.database.asSystem('verification begun', (tx) => forgetAwaitingVerification(tx));
  }

  private async end(tx: Tx, id: string, late: boolean): Promise<void> {
    const verification = await tryLockVerification(tx, id);
    if (verification?.status !== 'PENDING') return;
    if (late) {
      const message =
        'The verification took longer than the time limit of its job and was stopped. Raise the limit, then verify again.';
      await this.settlement.skip(tx, verification, { code: 'TIME_LIMIT', message, tellAgent: true });
      return;
    }
    if (await this.leases.holds(tx, verificationResource(verification.backupId), verification.fence)) return;
    const message =
      'The agent was out of touch for too long, so the verification was given up. Look at the agent, then verify again.';
    await this.settlement.skip(tx, verification, { code: 'LEASE_EXPIRED', message });
  }
}
