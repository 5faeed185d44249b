import { Processor, WorkerHost } from '@nestjs/bullmq';
import type { OnModuleInit } from '@nestjs/common';
import type { Job } from 'bullmq';
import { withCorrelation } from '../../platform/logging/correlation.js';
import { JobQueue } from '../../platform/queues/job-queue.js';
import { QUEUES, WORKER_OPTIONS } from '../../platform/queues/queues.js';
import { AuditSweep } from './audit-sweep.service.js';

const CHAIN_SWEEP = 'audit-chain';
const CHAIN_EVERY_MS = 2000;
const CHECKPOINT_SWEEP = 'audit-checkpoints';
const CHECKPOINT_EVERY_MS = 60_000;

@Processor(QUEUES.audit, WORKER_OPTIONS)
export class AuditProcessor extends WorkerHost implements OnModuleInit {
  constructor(
    private readonly queue: JobQueue,
    private readonly sweep: AuditSweep,
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
          return this.sweep.signOld();
        default:
          throw new Error(`The queue ${QUEUES.audit} knows no job ${job.name}.`);
      }
    });
  }
}
