import { Processor, WorkerHost } from '@nestjs/bullmq';
import type { OnModuleInit } from '@nestjs/common';
import type { Job } from 'bullmq';
import { AppConfig } from '../../platform/config/app-config.js';
import { withCorrelation } from '../../platform/logging/correlation.js';
import { JobQueue } from '../../platform/queues/job-queue.js';
import { QUEUES, WORKER_OPTIONS } from '../../platform/queues/queues.js';
import { AgentWatchdog } from './agent-watchdog.js';
import { CommandDispatcher } from './command-dispatcher.js';
import { DISPATCH_JOB, type DispatchPayload } from './command-outbox.js';

const OUTBOX_SWEEP = 'outbox-sweep';
const AGENT_WATCHDOG = 'agent-watchdog';

@Processor(QUEUES.commands, WORKER_OPTIONS)
export class CommandsProcessor extends WorkerHost implements OnModuleInit {
  constructor(
    private readonly config: AppConfig,
    private readonly queue: JobQueue,
    private readonly dispatcher: CommandDispatcher,
    private readonly watchdog: AgentWatchdog,
  ) {
    super();
  }

  onModuleInit(): void {
    this.queue.sweep(QUEUES.commands, OUTBOX_SWEEP, this.config.outboxIntervalMs);
    this.queue.sweep(QUEUES.commands, AGENT_WATCHDOG, this.config.watchdogIntervalMs);
  }

  process(job: Job): Promise<void> {
    return withCorrelation(undefined, () => {
      switch (job.name) {
        case DISPATCH_JOB:
          return this.dispatcher.dispatch((job.data as DispatchPayload).agentId);
        case OUTBOX_SWEEP:
          return this.dispatcher.sweep();
        case AGENT_WATCHDOG:
          return this.watchdog.sweep();
        default:
          throw new Error(`The queue ${QUEUES.commands} knows no job ${job.name}.`);
      }
    });
  }
}
