import { Injectable } from '@nestjs/common';
import type { UpdateJobDto } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { AuditTrail } from '../audit/index.js';
import { DatabaseDirectory } from '../databases/index.js';
import { assertSupported, autoVerification, compressionOf } from './job-choices.js';
import { JobDirectory } from './job-directory.js';
import { JobPassphrases } from './job-passphrases.js';
import { JobStorages } from './job-storages.js';
import { JobRow } from './job.entity.js';

/** Changes count from the next run on; a backup that runs keeps the order it was given. */
@Injectable()
export class JobChanges {
  constructor(
    private readonly database: Database,
    private readonly directory: JobDirectory,
    private readonly databases: DatabaseDirectory,
    private readonly storages: JobStorages,
    private readonly passphrases: JobPassphrases,
    private readonly audit: AuditTrail,
  ) {}

  async update(actor: Actor, id: string, dto: UpdateJobDto): Promise<void> {
    assertSupported(dto);
    const { workspaceId } = actor;
    await this.database.inWorkspace(workspaceId, (tx) => this.directory.get(tx, workspaceId, id));
    const key = await this.passphrases.derive(dto.encryptionPassword);
    await this.database.inWorkspace(workspaceId, async (tx) => {
      const job = await this.directory.lock(tx, workspaceId, id);
      const { agentId } = await this.databases.get(tx, workspaceId, job.databaseId);
      const { storageId, storagePath } =
        dto.cloudStorageId === undefined ? job : await this.storages.choose(tx, { workspaceId, agentId }, dto);
      const changed = {
        name: dto.name ?? job.name,
        backupType: dto.backupType ?? job.backupType,
        compression: dto.compression === undefined ? job.compression : compressionOf(dto.compression),
        storageId,
        storagePath,
        retentionDays: dto.retentionDays ?? job.retentionDays,
        timeLimitMinutes: dto.timeLimitMinutes ?? job.timeLimitMinutes,
        isActive: dto.isActive ?? job.isActive,
        ...autoVerification(dto, job),
        ...(await this.passphrases.change(tx, job, { dto, agentId, key })),
      };
      await tx.update(JobRow, { id }, changed);
      await this.audit.record(tx, {
        workspaceId,
        actor,
        action: 'job.updated',
        targetType: 'job',
        targetId: id,
        // Names only: a value may be a passphrase.
        detail: { fields: Object.keys(dto) },
      });
    });
  }
}
