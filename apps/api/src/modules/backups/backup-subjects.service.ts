import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { DatabaseDirectory, type DatabaseRow } from '../databases/index.js';
import { JobDirectory, JobRow } from '../jobs/index.js';
import { agentFolderAt, StorageDirectory, StorageFactory } from '../storages/index.js';
import { largestRecentBytes, recoveryRecipientOf, storageIsKept } from './backup-surroundings.repository.js';

/** Below this a disk counts as full, however small the backup. */
const LEAST_ROOM_BYTES = 64 * 1024 * 1024;

export interface BackupSubject {
  readonly job: JobRow;
  readonly database: DatabaseRow;
  readonly recoveryRecipient: string;
}

/** What a backup is made of and for, and whether it may be made at all. */
@Injectable()
export class BackupSubjects {
  constructor(
    private readonly jobs: JobDirectory,
    private readonly databases: DatabaseDirectory,
    private readonly storages: StorageFactory,
    private readonly directory: StorageDirectory,
  ) {}

  async forRun(tx: Tx, workspaceId: string, jobId: string): Promise<BackupSubject> {
    const job = await this.jobs.lock(tx, workspaceId, jobId);
    if (!job.isActive) throw new AppError('CONFLICT', `The job "${job.name}" is switched off. Switch it on, then run it.`);
    const database = await this.databases.get(tx, workspaceId, job.databaseId);
    if (!(await storageIsKept(tx, job.storageId))) {
      throw new AppError('CONFLICT', `The storage of the job "${job.name}" was deleted. Give the job another one, then run it.`);
    }
    await this.followAgent(tx, job, database);
    const recoveryRecipient = await recoveryRecipientOf(tx, workspaceId);
    if (recoveryRecipient === null) {
      throw new AppError(
        'RECOVERY_KEY_MISSING',
        'This workspace has no recovery key, and without one a lost agent would mean lost backups. Make one with ' +
          '"rahatback-agent recovery-key", keep its private half in a safe place, and save the public half (age1…) in the workspace.',
      );
    }
    // Compressed sizes of one database change slowly: the last ones tell what the next one needs.
    await this.storages.assertRoom(tx, job, Math.max(LEAST_ROOM_BYTES, await largestRecentBytes(tx, job.id)));
    return { job, database, recoveryRecipient };
  }

  /** A folder on an agent's own disk goes with the agent: after the database has moved, the same folder on the new one is used, with a new chain. */
  private async followAgent(tx: Tx, job: JobRow, { agentId }: DatabaseRow): Promise<void> {
    const folder = await agentFolderAt(tx, job.storageId);
    if (folder === null || folder.agentId === agentId) return;
    const moved = await this.directory.requireAgentFolder(tx, job.workspaceId, { ...folder, agentId });
    await tx.update(JobRow, { id: job.id }, { storageId: moved.id });
    job.storageId = moved.id;
  }
}
