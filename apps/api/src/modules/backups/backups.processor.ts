import { Processor, WorkerHost } from '@nestjs/bullmq';
import type { Job } from 'bullmq';
import { QUEUES, WORKER_OPTIONS } from '../../platform/queues/queues.js';
import { BackupCleanup } from './backup-cleanup.service.js';
import { BackupDeletion } from './backup-deletion.service.js';
import { CLEANUP_JOB, DELETE_JOB, WATCHDOG_JOB } from './backup-signals.service.js';
import { BackupWatchdog } from './backup-watchdog.service.js';

/** Wake-ups only: each sweep finds in PostgreSQL what there is to do. */
@Processor(QUEUES.backups, WORKER_OPTIONS)
export class BackupsProcessor extends WorkerHost {
  constructor(
    private readonly watchdog: BackupWatchdog,
    private readonly cleanup: BackupCleanup,
    private readonly deletion: BackupDeletion,
  ) {
    super();
  }

  override async process(job: Job): Promise<void> {
    if (job.name === WATCHDOG_JOB) await this.watchdog.run();
    else if (job.name === CLEANUP_JOB) await this.cleanup.run();
    else if (job.name === DELETE_JOB) await this.deletion.run();
  }
}
