import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppConfig } from '../../platform/config/app-config.js';
import type { Tx } from '../../platform/database/database.js';
import { JobQueue } from '../../platform/queues/job-queue.js';
import { QUEUES } from '../../platform/queues/queues.js';
import { AgentMessageRouter } from '../../platform/realtime/agent-message-router.js';
import { CommandResults, type CommandOutcome, type CommandRow } from '../agents/index.js';
import { VerificationReports } from './verification-reports.service.js';
import { VerificationSettlement } from './verification-settlement.service.js';
import { lockVerificationOfCommand } from './verification.repository.js';

export const VERIFICATION_WATCHDOG_JOB = 'verification-watchdog';

/** What agents say about verifications, and what becomes of a verification whose command ended unexecuted. */
@Injectable()
export class VerificationEvents implements OnModuleInit {
  constructor(
    private readonly config: AppConfig,
    private readonly queue: JobQueue,
    private readonly router: AgentMessageRouter,
    private readonly results: CommandResults,
    private readonly reports: VerificationReports,
    private readonly settlement: VerificationSettlement,
  ) {}

  onModuleInit(): void {
    this.router.on('verification:started', (agent, message) => this.reports.started(agent, message));
    this.router.on('verification:progress', (agent, message) => this.reports.progress(agent, message));
    this.router.on('verification:completed', (agent, message) => this.reports.completed(agent, message));
    this.router.on('verification:failed', (agent, message) => this.reports.failed(agent, message));
    this.results.onResult('verification:execute', (tx, command, outcome) => this.commandEnded(tx, command, outcome));
    this.queue.sweep(QUEUES.verifications, VERIFICATION_WATCHDOG_JOB, this.config.watchdogIntervalMs);
  }

  private async commandEnded(tx: Tx, command: CommandRow, outcome: CommandOutcome): Promise<void> {
    const verification = await lockVerificationOfCommand(tx, command.id, false);
    const { code, message } = outcome.message.error;
    if (verification !== null) await this.settlement.skip(tx, verification, { code, message });
  }
}
