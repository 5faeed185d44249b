import { Injectable } from '@nestjs/common';
import type { CreateJobDto, JobView, StorageType } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { agentFolderOf, checkAgentPath, StorageDirectory, type StorageRow } from '../storages/index.js';
import { invalidField } from './job-choices.js';
import type { JobRow } from './job.entity.js';

export interface JobOwner {
  readonly workspaceId: string;
  readonly agentId: string;
}

type StorageChoice = Pick<CreateJobDto, 'cloudStorageId' | 'storageType' | 'storagePath'>;
export type ChosenStorage = Pick<JobRow, 'storageId' | 'storagePath'>;

/** Which storage a job writes to. */
@Injectable()
export class JobStorages {
  constructor(private readonly storages: StorageDirectory) {}

  /**
   * The folder on the agent's disk, the one that was named, or the default of its type; locked, so that nobody deletes it before the job is there.
   * @param owner workspace of the job and agent of its database
   */
  async choose(tx: Tx, { workspaceId, agentId }: JobOwner, dto: StorageChoice): Promise<ChosenStorage> {
    const storage = await this.named(tx, { workspaceId, agentId }, dto);
    const folder = agentFolderOf(storage);
    if (folder !== null && folder.agentId !== agentId) {
      throw invalidField(
        'cloudStorageId',
        `The storage ${storage.name} is on another agent's disk than the database of this job. Choose another storage, or give storagePath.`,
      );
    }
    return { storageId: storage.id, storagePath: folder?.path ?? null };
  }

  private async named(tx: Tx, { workspaceId, agentId }: JobOwner, dto: StorageChoice): Promise<StorageRow> {
    if (dto.storagePath !== undefined) {
      const folder = { agentId, path: checkAgentPath(dto.storagePath) };
      const found = await this.storages.requireAgentFolder(tx, workspaceId, folder);
      return this.storages.lock(tx, workspaceId, found.id);
    }
    if (dto.cloudStorageId === undefined) {
      const chosen = await this.storages.requireDefault(tx, workspaceId, dto.storageType ?? 'local');
      return this.storages.lock(tx, workspaceId, chosen.id);
    }
    const storage = await this.storages.lock(tx, workspaceId, dto.cloudStorageId);
    if (dto.storageType !== undefined && dto.storageType !== storage.storageType) {
      throw invalidField(
        'storageType',
        `The storage ${storage.name} is of type ${storage.storageType}, not ${dto.storageType}. Leave storageType out.`,
      );
    }
    return storage;
  }

  async views(tx: Tx, jobs: readonly JobRow[]): Promise<JobView[]> {
    const ids = [...new Set(jobs.map(({ storageId }) => storageId))];
    const types = await tx.query<{ id: string; type: StorageType }[]>(
      'SELECT id, storage_type AS type FROM storages WHERE id = ANY($1::uuid[])',
      [ids],
    );
    const typeOf = new Map(types.map(({ id, type }) => [id, type]));
    return jobs.map((job) => toJobView(job, typeOf.get(job.storageId) ?? 'local'));
  }
}

const toJobView = (job: JobRow, storageType: StorageType): JobView => ({
  id: job.id,
  databaseId: job.databaseId,
  name: job.name,
  scheduleType: job.scheduleType,
  backupType: job.backupType,
  compression: job.compression,
  isEncrypted: job.isEncrypted,
  storageType,
  cloudStorageId: job.storageId,
  storagePath: job.storagePath,
  autoVerifyAfterBackup: job.autoVerifyAfterBackup,
  verificationLevel: job.verificationLevel,
  retentionDays: job.retentionDays,
  timeLimitMinutes: job.timeLimitMinutes,
  maxChainLength: job.maxChainLength,
  isActive: job.isActive,
  createdAt: job.createdAt.toISOString(),
});
