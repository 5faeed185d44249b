import { Injectable, Logger } from '@nestjs/common';
import { Database, type Tx } from '../../platform/database/database.js';
import { LeaseService } from '../agents/index.js';
import { OneAtATime } from '../backups/index.js';
import { RestoreSettlement } from './restore-settlement.service.js';
import { findLostRestores, restoreResourceOf, tryLockRestore } from './restore.repository.js';

const BATCH = 100;

/** Ends restores whose agent stayed away past its lease, or that overran their time. Several workers may sweep at once. */
@Injectable()
export class RestoreWatchdog {
  private readonly log = new Logger(RestoreWatchdog.name);
  private readonly sweep = new OneAtATime(() => this.round());

  constructor(
    private readonly database: Database,
    private readonly leases: LeaseService,
    private readonly settlement: RestoreSettlement,
  ) {}

  run(): Promise<void> {
    return this.sweep.run();
  }

  private async round(): Promise<void> {
    const lost = await this.database.asSystem('restore watchdog', (tx) => findLostRestores(tx, BATCH));
    for (const { id, workspaceId, late } of lost) {
      try {
        await this.database.inWorkspace(workspaceId, (tx) => this.end(tx, id, late));
      } catch (error) {
        this.log.error({ err: error, restoreId: id }, 'A lost restore could not be settled; it is tried again.');
      }
    }
  }

  private async end(tx: Tx, id: string, late: boolean): Promise<void> {
    const restore = await tryLockRestore(tx, id);
    if (restore?.status !== 'running') return;
    if (late) {
      const message =
        'The restore took longer than the time limit of its job and was stopped. Raise the limit, then restore again.';
      await this.settlement.fail(tx, restore, { code: 'TIME_LIMIT', message, tellAgent: true });
      return;
    }
    if (await this.leases.holds(tx, restoreResourceOf(restore), restore.fence)) return;
    const message =
      'The agent was out of touch for too long, so the restore was given up. Look at the agent, then restore again.';
    await this.settlement.fail(tx, restore, { code: 'LEASE_EXPIRED', message });
  }
}
