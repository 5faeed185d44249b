import { Processor, WorkerHost } from '@nestjs/bullmq';
import { Logger } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import type { Job } from 'bullmq';
import { withCorrelation } from '../../platform/logging/correlation.js';
import { JobQueue } from '../../platform/queues/job-queue.js';
import { QUEUES, WORKER_OPTIONS } from '../../platform/queues/queues.js';
import { AuditAlarm } from './audit-alarm.js';
import { AuditSweep } from './audit-sweep.service.js';

const CHAIN_SWEEP = 'audit-chain';
const CHAIN_EVERY_MS = 2000;
const CHECKPOINT_SWEEP = 'audit-checkpoints';
const CHECKPOINT_EVERY_MS = 60_000;

@Processor(QUEUES.audit, WORKER_OPTIONS)
export class AuditProcessor extends WorkerHost implements OnModuleInit {
  private readonly log = new Logger(AuditProcessor.name);

  constructor(
    private readonly queue: JobQueue,
    private readonly sweep: AuditSweep,
    private readonly alarm: AuditAlarm,
  ) {
    super();
  }

  onModuleInit(): void {
    this.queue.sweep(QUEUES.audit, CHAIN_SWEEP, CHAIN_EVERY_MS);
    this.queue.sweep(QUEUES.audit, CHECKPOINT_SWEEP, CHECKPOINT_EVERY_MS);
  }

  process(job: Job): Promise<void> {
    return withCorrelation(undefined, () => {
      switch (job.name) {
        case CHAIN_SWEEP:
          return this.sweep.run();
        case CHECKPOINT_SWEEP:
          return this.signAndLookBack();
        default:
          throw new Error(`The queue ${QUEUES.audit} knows no job ${job.name}.`);
      }
    });
  }

  /** A worker that cannot chain says so every minute. */
  private async signAndLookBack(): Promise<void> {
    await this.sweep.signOld();
    const warning = await this.alarm.warning();
    if (warning !== undefined) this.log.error(warning);
  }
}
