import { Injectable } from '@nestjs/common';
import type { BackupProgressView, BackupStatus, ErrorCode, ServerToPersonEvents } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import { JobQueue } from '../../platform/queues/job-queue.js';
import { QUEUES } from '../../platform/queues/queues.js';
import { LiveEvents } from '../../platform/realtime/live-events.js';
import { countBackupEnd } from './backup-metrics.js';
import type { BackupRow } from './backup.entity.js';

export const CLEANUP_JOB = 'cleanup';
export const DELETE_JOB = 'delete';
export const WATCHDOG_JOB = 'watchdog';

type Subject = Pick<BackupRow, 'id' | 'jobId' | 'databaseId' | 'workspaceId'>;

const EVENT_OF: Readonly<Record<BackupStatus, 'backup:started' | 'backup:completed' | 'backup:failed'>> = {
  running: 'backup:started',
  success: 'backup:completed',
  failed: 'backup:failed',
  cancelled: 'backup:failed',
  skipped: 'backup:failed',
};

/** What others hear of a backup, after the commit only: people's pages, workers, metrics. All of it hints; the rows are the truth. */
@Injectable()
export class BackupSignals {
  constructor(
    private readonly database: Database,
    private readonly queue: JobQueue,
    private readonly live: LiveEvents,
  ) {}

  changed(tx: Tx, backup: Subject, status: BackupStatus, errorCode?: ErrorCode): void {
    const event: Parameters<ServerToPersonEvents['backup:failed']>[0] = {
      historyId: backup.id,
      jobId: backup.jobId,
      databaseId: backup.databaseId,
      status,
      ...(errorCode === undefined ? {} : { errorCode }),
    };
    this.database.afterCommit(tx, () => {
      if (status !== 'running') countBackupEnd(status);
      this.live.toWorkspace(backup.workspaceId, EVENT_OF[status], event);
    });
  }

  progress(tx: Tx, subject: { id: string; jobId: string; workspaceId: string }, progress: BackupProgressView): void {
    this.database.afterCommit(tx, () => {
      this.live.toWorkspace(subject.workspaceId, 'backup:progress', { historyId: subject.id, jobId: subject.jobId, ...progress });
    });
  }

  cleanupNeeded(tx: Tx): void {
    this.wake(tx, CLEANUP_JOB);
  }

  deleteNeeded(tx: Tx): void {
    this.wake(tx, DELETE_JOB);
  }

  private wake(tx: Tx, job: string): void {
    this.database.afterCommit(tx, async () => {
      await this.queue.add(QUEUES.backups, job, {});
    });
  }
}
