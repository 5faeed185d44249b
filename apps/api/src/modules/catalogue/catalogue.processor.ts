import { Processor, WorkerHost } from '@nestjs/bullmq';
import type { Job } from 'bullmq';
import { QUEUES, WORKER_OPTIONS } from '../../platform/queues/queues.js';
import { RECONCILE_JOB, ReconcileSweep } from './reconcile-sweep.service.js';

@Processor(QUEUES.catalogue, WORKER_OPTIONS)
export class CatalogueProcessor extends WorkerHost {
  constructor(private readonly sweep: ReconcileSweep) {
    super();
  }

  override async process(job: Job): Promise<void> {
    if (job.name === RECONCILE_JOB) await this.sweep.run();
  }
}
