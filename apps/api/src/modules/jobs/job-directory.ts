import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { JobRow } from './job.entity.js';

/** What other modules ask of jobs. */
@Injectable()
export class JobDirectory {
  /** @throws AppError NOT_FOUND, also for one that was deleted or belongs to another workspace */
  async get(tx: Tx, workspaceId: string, jobId: string): Promise<JobRow> {
    const row = await this.query(tx, workspaceId).andWhere('job.id = :jobId', { jobId }).getOne();
    if (!row) throw new AppError('NOT_FOUND', 'There is no such job in this workspace. Look at the list of jobs.');
    return row;
  }

  /** The same, and nobody deletes or changes it until the caller's transaction ends. Whoever starts a run takes it, so that no deleted job runs. */
  async lock(tx: Tx, workspaceId: string, jobId: string): Promise<JobRow> {
    await tx.query('SELECT 1 FROM jobs WHERE id = $1 FOR UPDATE', [jobId]);
    return this.get(tx, workspaceId, jobId);
  }

  /** The rows of a workspace that were not deleted; alias `job`. */
  query(tx: Tx, workspaceId: string) {
    return tx
      .createQueryBuilder(JobRow, 'job')
      .where('job.workspaceId = :workspaceId AND job.deletedAt IS NULL', { workspaceId });
  }
}
