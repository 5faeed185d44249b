import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { AppConfig } from '../../platform/config/app-config.js';
import { JobQueue } from '../../platform/queues/job-queue.js';
import { QUEUES } from '../../platform/queues/queues.js';
import { AgentMessageRouter } from '../../platform/realtime/agent-message-router.js';
import { CommandResults } from '../agents/index.js';
import { KeyReports } from './key-reports.service.js';
import { ShortReports } from './short-reports.service.js';
import { SWAP_DEEDS } from './swap-commands.service.js';
import { SwapSettlement } from './swap-settlement.service.js';

export const SWAP_SWEEP_JOB = 'swap-sweep';

/** What agents answer to the short commands around a restore, and what becomes of those that ended unexecuted. */
@Injectable()
export class SwapEvents implements OnModuleInit {
  constructor(
    private readonly config: AppConfig,
    private readonly queue: JobQueue,
    private readonly router: AgentMessageRouter,
    private readonly results: CommandResults,
    private readonly short: ShortReports,
    private readonly keys: KeyReports,
    private readonly swaps: SwapSettlement,
  ) {}

  onModuleInit(): void {
    this.router.on('restore:preflight:result', (agent, message) => this.short.preflight(agent, message));
    this.router.on('keys:rewrap:result', (agent, message) => this.keys.rewrap(agent, message));
    for (const deed of SWAP_DEEDS) {
      this.router.on(`restore:${deed}:result`, (agent, message) => this.short.swap(deed, agent, message));
      this.results.onResult(`restore:${deed}`, (tx, command, outcome) => this.swaps.unexecuted(tx, command, outcome));
    }
    this.results.onResult('restore:preflight', (tx, command) => this.short.preflightEnded(tx, command));
    this.results.onResult('keys:rewrap', (tx, command, { message }) =>
      this.keys.ended(tx, command, new AppError(message.error.code, message.error.message)),
    );
    this.queue.sweep(QUEUES.restores, SWAP_SWEEP_JOB, this.config.watchdogIntervalMs);
  }
}
