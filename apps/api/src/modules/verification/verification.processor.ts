import { Processor, WorkerHost } from '@nestjs/bullmq';
import type { Job } from 'bullmq';
import { QUEUES, WORKER_OPTIONS } from '../../platform/queues/queues.js';
import { VerificationWatchdog } from './verification-watchdog.service.js';
import { VERIFICATION_WATCHDOG_JOB } from './verification.events.js';

@Processor(QUEUES.verifications, WORKER_OPTIONS)
export class VerificationProcessor extends WorkerHost {
  constructor(private readonly watchdog: VerificationWatchdog) {
    super();
  }

  override async process(job: Job): Promise<void> {
    if (job.name === VERIFICATION_WATCHDOG_JOB) await this.watchdog.run();
  }
}
