import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import { JobQueue } from '../../platform/queues/job-queue.js';
import { QUEUES } from '../../platform/queues/queues.js';
import { CatalogueReconcile } from './reconcile.service.js';
import { findDue } from './reconcile.repository.js';

export const RECONCILE_JOB = 'reconcile';

const EVERY_MS = 3_600_000;
const AFTER_HOURS = 24;
const BATCH = 20;

/** Looks once an hour for storages that nobody has compared with the history for a day, and compares them one after the other. */
@Injectable()
export class ReconcileSweep implements OnModuleInit {
  private readonly log = new Logger(ReconcileSweep.name);
  private running: Promise<void> | undefined;

  constructor(
    private readonly database: Database,
    private readonly queue: JobQueue,
    private readonly reconcile: CatalogueReconcile,
  ) {}

  onModuleInit(): void {
    this.queue.sweep(QUEUES.catalogue, RECONCILE_JOB, EVERY_MS);
  }

  run(): Promise<void> {
    this.running ??= this.round().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async round(): Promise<void> {
    const due = await this.database.asSystem('reconcile', (tx) => findDue(tx, AFTER_HOURS, BATCH));
    for (const { id: storageId, workspaceId } of due) {
      try {
        await this.reconcile.run({ workspaceId, storageId, actor: 'system', deep: false });
      } catch (error) {
        this.log.warn(
          { err: error, storageId },
          'A storage could not be compared with the history; it is tried again in an hour.',
        );
      }
    }
  }
}
