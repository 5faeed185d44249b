import { Processor, WorkerHost } from '@nestjs/bullmq';
import type { Job } from 'bullmq';
import { QUEUES, WORKER_OPTIONS } from '../../platform/queues/queues.js';
import { RestoreWatchdog } from './restore-watchdog.service.js';
import { RESTORE_WATCHDOG_JOB } from './restore.events.js';
import { SWAP_SWEEP_JOB } from './swap.events.js';
import { SwapSweep } from './swap-sweep.service.js';

@Processor(QUEUES.restores, WORKER_OPTIONS)
export class RestoreProcessor extends WorkerHost {
  constructor(
    private readonly watchdog: RestoreWatchdog,
    private readonly swaps: SwapSweep,
  ) {
    super();
  }

  override async process(job: Job): Promise<void> {
    if (job.name === RESTORE_WATCHDOG_JOB) await this.watchdog.run();
    if (job.name === SWAP_SWEEP_JOB) await this.swaps.run();
  }
}
