import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { IsNull } from 'typeorm';
import type { Tx } from '../../platform/database/database.js';
import { JobRow } from './job.entity.js';

/** What other modules ask of jobs. */
@Injectable()
export class JobDirectory {
  /** @throws AppError NOT_FOUND, also for one that was deleted or belongs to another workspace */
  async get(tx: Tx, workspaceId: string, jobId: string): Promise<JobRow> {
    const row = await tx.findOneBy(JobRow, { id: jobId, workspaceId, deletedAt: IsNull() });
    if (!row) throw new AppError('NOT_FOUND', 'There is no such job in this workspace. Look at the list of jobs.');
    return row;
  }
}
