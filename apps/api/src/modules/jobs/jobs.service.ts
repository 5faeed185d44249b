import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { CreateJobDto, JobView, Page, PageQueryDto } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { pageOf } from '../../platform/http/pages.js';
import { newId } from '../../platform/ids.js';
import { AuditTrail } from '../audit/index.js';
import { DatabaseDeletions, DatabaseDirectory } from '../databases/index.js';
import { assertSupported, autoVerification, compressionOf, DEFAULT_TIME_ZONE, invalidField } from './job-choices.js';
import { JobDirectory } from './job-directory.js';
import { JobPassphrases } from './job-passphrases.js';
import { JobStorages } from './job-storages.js';
import { JobRow } from './job.entity.js';

@Injectable()
export class JobsService implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly directory: JobDirectory,
    private readonly databases: DatabaseDirectory,
    private readonly deletions: DatabaseDeletions,
    private readonly storages: JobStorages,
    private readonly passphrases: JobPassphrases,
    private readonly audit: AuditTrail,
  ) {}

  onModuleInit(): void {
    this.deletions.onDelete((tx, actor, databaseId) => this.removeOf(tx, actor, databaseId));
  }

  async create(actor: Actor, dto: CreateJobDto): Promise<JobView> {
    assertSupported(dto);
    const { workspaceId } = actor;
    const isEncrypted = dto.isEncrypted ?? dto.encryptionPassword !== undefined;
    if (!isEncrypted && dto.encryptionPassword !== undefined) {
      throw invalidField('encryptionPassword', 'A passphrase needs isEncrypted: true. Set it, or leave the passphrase out.');
    }
    // Before the costly derivation, so that a wrong id costs nothing.
    await this.database.inWorkspace(workspaceId, (tx) => this.databases.get(tx, workspaceId, dto.databaseId));
    const key = await this.passphrases.derive(dto.encryptionPassword);
    const id = newId();
    return this.database.inWorkspace(workspaceId, async (tx) => {
      const target = await this.databases.lock(tx, workspaceId, dto.databaseId);
      const storage = await this.storages.choose(tx, { workspaceId, agentId: target.agentId }, dto);
      await tx.insert(JobRow, {
        id,
        workspaceId,
        databaseId: target.id,
        ...storage,
        name: dto.name,
        scheduleType: 'manual',
        timeZone: dto.timeZone ?? DEFAULT_TIME_ZONE,
        backupType: dto.backupType ?? 'full',
        compression: compressionOf(dto.compression),
        isEncrypted,
        ...(await this.passphrases.sealNew(tx, { workspaceId, agentId: target.agentId, jobId: id, key })),
        ...autoVerification(dto, { autoVerifyAfterBackup: false, verificationLevel: null }),
        retentionDays: dto.retentionDays ?? null,
        ...(dto.timeLimitMinutes === undefined ? {} : { timeLimitMinutes: dto.timeLimitMinutes }),
        ...(dto.maxChainLength === undefined ? {} : { maxChainLength: dto.maxChainLength }),
        isActive: dto.isActive ?? true,
      });
      await this.record(tx, actor, {
        action: 'job.created',
        id,
        detail: { databaseId: target.id, storageId: storage.storageId, isEncrypted },
      });
      return this.view(tx, await this.directory.get(tx, workspaceId, id));
    });
  }

  list(actor: Actor, query: PageQueryDto): Promise<Page<JobView>> {
    const { workspaceId } = actor;
    return this.database.inWorkspace(workspaceId, (tx) =>
      pageOf(query, {
        find: async (skip, take) => {
          const rows = this.directory.query(tx, workspaceId).orderBy('job.createdAt').addOrderBy('job.id');
          return this.storages.views(tx, await rows.offset(skip).limit(take).getMany());
        },
        countUpTo: () => this.directory.query(tx, workspaceId).getCount(),
      }),
    );
  }

  get(actor: Actor, id: string): Promise<JobView> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) =>
      this.view(tx, await this.directory.get(tx, actor.workspaceId, id)),
    );
  }

  remove(actor: Actor, id: string): Promise<void> {
    const { workspaceId } = actor;
    return this.database.inWorkspace(workspaceId, async (tx) => {
      await this.directory.lock(tx, workspaceId, id);
      await assertIdle(tx, id);
      await this.markDeleted(tx, actor, id);
    });
  }

  /** The jobs of a database that is being deleted; it has made sure that none of them runs. */
  private async removeOf(tx: Tx, actor: Actor, databaseId: string): Promise<void> {
    const jobs = await this.directory
      .query(tx, actor.workspaceId)
      .andWhere('job.databaseId = :databaseId', { databaseId })
      .getMany();
    for (const job of jobs) await this.markDeleted(tx, actor, job.id);
  }

  /** The sealed key goes with it: backups hold their own copy in their key slots. */
  private async markDeleted(tx: Tx, actor: Actor, id: string): Promise<void> {
    await tx.update(JobRow, { id }, { deletedAt: () => 'clock_timestamp()', isActive: false, passphrase: null });
    await this.record(tx, actor, { action: 'job.deleted', id });
  }

  private async view(tx: Tx, row: JobRow): Promise<JobView> {
    const [view] = await this.storages.views(tx, [row]);
    if (!view) throw new Error(`The storage of job ${row.id} is missing.`);
    return view;
  }

  private record(tx: Tx, actor: Actor, deed: { action: string; id: string; detail?: Record<string, unknown> }): Promise<void> {
    const { action, id: targetId, detail = {} } = deed;
    return this.audit.record(tx, { workspaceId: actor.workspaceId, actor, action, targetType: 'job', targetId, detail });
  }
}

/** Backups are a module further on, but their rows point here: this only looks whether one runs. */
async function assertIdle(tx: Tx, jobId: string): Promise<void> {
  const rows = await tx.query<unknown[]>(`SELECT 1 FROM backups WHERE job_id = $1 AND status = 'running'`, [jobId]);
  if (rows.length === 0) return;
  throw new AppError('CONFLICT', 'A backup of this job is running. Wait until it has ended, or cancel it, then delete the job.');
}
