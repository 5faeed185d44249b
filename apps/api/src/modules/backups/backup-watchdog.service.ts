import { Injectable, Logger } from '@nestjs/common';
import { Database, type Tx } from '../../platform/database/database.js';
import { crashPoint } from '@rahatback/backup-core/crash-point';
import { LeaseService } from '../agents/index.js';
import { currentAttempt } from './backup-attempt.repository.js';
import { BackupPublication } from './backup-publication.service.js';
import { BackupSettlement, type Work } from './backup-settlement.service.js';
import { backupResource, findLost, findStuckPublishing, isPastDeadline, tryLockBackup } from './backup.repository.js';
import { OneAtATime } from './one-at-a-time.js';

const BATCH = 100;
/** A publication is one small write: one that has taken longer belongs to a process that died. */
const PUBLISHING_LIMIT_SECONDS = 20;

/**
 * Ends what nobody else will end: lost leases, overrun limits, publications whose process died. Start-up recovery is the same sweep. Several
 * workers may sweep at once: a row that one of them has locked is left to it, and every move says state and fence.
 */
@Injectable()
export class BackupWatchdog {
  private readonly log = new Logger(BackupWatchdog.name);
  private readonly sweep = new OneAtATime(() => this.round());

  constructor(
    private readonly database: Database,
    private readonly leases: LeaseService,
    private readonly settlement: BackupSettlement,
    private readonly publication: BackupPublication,
  ) {}

  run(): Promise<void> {
    return this.sweep.run();
  }

  private async round(): Promise<void> {
    const stuck = await this.database.asSystem('publishing watchdog', (tx) =>
      findStuckPublishing(tx, PUBLISHING_LIMIT_SECONDS, BATCH),
    );
    for (const backup of stuck) await this.one(backup.id, () => this.publication.recover(backup));
    const lost = await this.database.asSystem('backup watchdog', (tx) => findLost(tx, BATCH));
    for (const { id, workspaceId } of lost) {
      await this.one(id, () => this.database.inWorkspace(workspaceId, (tx) => this.endLost(tx, id)));
      crashPoint('worker.watchdog.mid');
    }
  }

  /** One row that cannot be settled must not keep the others waiting. */
  private async one(backupId: string, settle: () => Promise<void>): Promise<void> {
    try {
      await settle();
    } catch (error) {
      this.log.error({ err: error, backupId }, 'A lost backup could not be settled; it is tried again.');
    }
  }

  private async endLost(tx: Tx, id: string): Promise<void> {
    const backup = await tryLockBackup(tx, id);
    const attempt = backup === null ? null : await currentAttempt(tx, backup);
    if (backup === null || attempt === null || backup.status !== 'running') return;
    const work: Work = { backup, attempt };
    if (await isPastDeadline(tx, id)) {
      const message =
        'The backup took longer than the time limit of its job and was stopped. Raise the limit, or find what slows it down.';
      await this.settlement.fail(tx, work, { code: 'TIME_LIMIT', message, tellAgent: true }, 'fail');
      return;
    }
    if (await this.leases.holds(tx, backupResource(backup.jobId), backup.fence)) return;
    const message =
      'The agent was out of touch for too long, so the backup was given up. Look at the agent and its network, then run the job again.';
    await this.settlement.fail(tx, work, { code: 'LEASE_EXPIRED', message }, 'fence');
  }
}
