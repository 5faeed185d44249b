import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppConfig } from '../../platform/config/app-config.js';
import type { Tx } from '../../platform/database/database.js';
import { JobQueue } from '../../platform/queues/job-queue.js';
import { QUEUES } from '../../platform/queues/queues.js';
import { AgentMessageRouter } from '../../platform/realtime/agent-message-router.js';
import { CommandResults, type CommandOutcome, type CommandRow } from '../agents/index.js';
import { RestoreReports } from './restore-reports.service.js';
import { RestoreSettlement } from './restore-settlement.service.js';
import { lockRestoreOfCommand } from './restore.repository.js';

export const RESTORE_WATCHDOG_JOB = 'restore-watchdog';

/** What agents say about restores, and what becomes of a restore whose command ended unexecuted. */
@Injectable()
export class RestoreEvents implements OnModuleInit {
  constructor(
    private readonly config: AppConfig,
    private readonly queue: JobQueue,
    private readonly router: AgentMessageRouter,
    private readonly results: CommandResults,
    private readonly reports: RestoreReports,
    private readonly settlement: RestoreSettlement,
  ) {}

  onModuleInit(): void {
    this.router.on('restore:started', (agent, message) => this.reports.started(agent, message));
    this.router.on('restore:progress', (agent, message) => this.reports.progress(agent, message));
    this.router.on('restore:completed', (agent, message) => this.reports.completed(agent, message));
    this.router.on('restore:failed', (agent, message) => this.reports.failed(agent, message));
    this.results.onResult('restore:execute', (tx, command, outcome) => this.commandEnded(tx, command, outcome));
    this.queue.sweep(QUEUES.restores, RESTORE_WATCHDOG_JOB, this.config.watchdogIntervalMs);
  }

  private async commandEnded(tx: Tx, command: CommandRow, outcome: CommandOutcome): Promise<void> {
    const restore = await lockRestoreOfCommand(tx, command.id, false);
    const { code, message } = outcome.message.error;
    if (restore !== null) await this.settlement.fail(tx, restore, { code, message });
  }
}
