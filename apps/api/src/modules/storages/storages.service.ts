import { Injectable } from '@nestjs/common';
import type {
  CreateStorageDto,
  Page,
  PageQueryDto,
  StorageTestAnswer,
  StorageType,
  StorageView,
  UpdateStorageDto,
} from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import type { StorageBackend } from '@rahatback/storage';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { pageOf } from '../../platform/http/pages.js';
import { newId } from '../../platform/ids.js';
import { OutboundGuard } from '../../platform/outbound/outbound-guard.js';
import { AgentDirectory } from '../agents/index.js';
import { AuditTrail } from '../audit/index.js';
import { agentFolderOf, type AgentFolder } from './agent-folder.js';
import { CredentialVault } from './storage-credentials.js';
import { lockDefaults, StorageDirectory } from './storage-directory.js';
import { StorageFactory } from './storage-factory.js';
import { checkStorage, invalidFields, toStorageView } from './storage-settings.js';
import { StorageRow } from './storage.entity.js';

@Injectable()
export class StoragesService {
  constructor(
    private readonly database: Database,
    private readonly directory: StorageDirectory,
    private readonly factory: StorageFactory,
    private readonly vault: CredentialVault,
    private readonly audit: AuditTrail,
    private readonly agents: AgentDirectory,
    private readonly outbound: OutboundGuard,
  ) {}

  async create(actor: Actor, dto: CreateStorageDto): Promise<StorageView> {
    const { workspaceId } = actor;
    const { settings, credentials } = await checkStorage(dto, this.outbound);
    if (dto.agentId !== undefined) return this.createAt(actor, dto, { agentId: dto.agentId, path: settings.path ?? '' });
    // The server's own disk is at hand: a folder that cannot be written is refused now and not at the first backup.
    if (credentials === null) await assertUsable(await this.factory.forTest(workspaceId, settings, null));
    const id = newId();
    return this.database.inWorkspace(workspaceId, async (tx) => {
      const isDefault = await this.claimDefault(tx, { workspaceId, type: dto.storageType, wanted: dto.isDefault });
      await tx.insert(StorageRow, {
        id,
        workspaceId,
        storageType: dto.storageType,
        name: dto.name,
        isDefault,
        settings,
        credentials: credentials === null ? null : this.vault.seal({ id, workspaceId }, credentials),
      });
      await this.record(tx, actor, { action: 'storage.created', id, detail: { storageType: dto.storageType, isDefault } });
      return toStorageView(await this.directory.get(tx, workspaceId, id));
    });
  }

  /** Whether the folder may be used is for the agent's policy to say, at the first backup. */
  private createAt(actor: Actor, { name }: CreateStorageDto, folder: AgentFolder): Promise<StorageView> {
    const { workspaceId } = actor;
    return this.database.inWorkspace(workspaceId, async (tx) => {
      await this.agents.requireForWork(tx, workspaceId, folder.agentId);
      const { id } = await this.directory.requireAgentFolder(tx, workspaceId, folder);
      await tx.update(StorageRow, { id }, { name });
      await this.record(tx, actor, { action: 'storage.created', id, detail: { storageType: 'local', ...folder } });
      return toStorageView(await this.directory.get(tx, workspaceId, id));
    });
  }

  list(actor: Actor, query: PageQueryDto): Promise<Page<StorageView>> {
    return this.database.inWorkspace(actor.workspaceId, (tx) =>
      pageOf(query, {
        find: async (skip, take) => {
          const rows = this.directory.query(tx, actor.workspaceId).orderBy('storage.createdAt').addOrderBy('storage.id');
          return (await rows.offset(skip).limit(take).getMany()).map(toStorageView);
        },
        countUpTo: () => this.directory.query(tx, actor.workspaceId).getCount(),
      }),
    );
  }

  get(actor: Actor, id: string): Promise<StorageView> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) =>
      toStorageView(await this.directory.get(tx, actor.workspaceId, id)),
    );
  }

  update(actor: Actor, id: string, dto: UpdateStorageDto): Promise<StorageView> {
    const { workspaceId } = actor;
    return this.database.inWorkspace(workspaceId, async (tx) => {
      const { storageType, settings } = await this.directory.get(tx, workspaceId, id);
      if (dto.isDefault === true && settings.agentId !== undefined) {
        throw invalidFields("A folder on one agent's disk cannot be the default: databases of other agents cannot use it.", {
          isDefault: "isDefault is not for an agent's disk",
        });
      }
      // The right to choose a default before any row: the order in which everybody locks them.
      const isDefault =
        dto.isDefault === true ? await this.claimDefault(tx, { workspaceId, type: storageType, wanted: true }) : dto.isDefault;
      const row = await this.directory.lock(tx, workspaceId, id);
      const credentials = this.changedCredentials(row, dto);
      await tx.update(StorageRow, { id }, { name: dto.name ?? row.name, isDefault: isDefault ?? row.isDefault, credentials });
      await this.record(tx, actor, { action: 'storage.updated', id, detail: { fields: Object.keys(dto) } });
      return toStorageView(await this.directory.get(tx, workspaceId, id));
    });
  }

  remove(actor: Actor, id: string): Promise<void> {
    const { workspaceId } = actor;
    return this.database.inWorkspace(workspaceId, async (tx) => {
      await this.directory.lock(tx, workspaceId, id);
      const use = await usesOf(tx, id);
      if (use.jobs > 0 || use.backups > 0) {
        throw new AppError(
          'STORAGE_IN_USE',
          `This storage is used by ${use.jobs} jobs and holds ${use.backups} backups. Delete or move those first.`,
          { jobs: use.jobs, backups: use.backups },
        );
      }
      // Keys are kept only while leftovers of failed attempts must still be removed with them.
      const credentials = use.leftovers > 0 ? {} : { credentials: null };
      await tx.update(StorageRow, { id }, { deletedAt: () => 'clock_timestamp()', isDefault: false, ...credentials });
      await this.record(tx, actor, { action: 'storage.deleted', id });
    });
  }

  async testUnsaved(actor: Actor, dto: CreateStorageDto): Promise<StorageTestAnswer> {
    const { settings, credentials } = await checkStorage(dto, this.outbound);
    const folder = agentFolderOf({ settings });
    if (folder !== null) return this.testAgent(actor, folder);
    return probe(await this.factory.forTest(actor.workspaceId, settings, credentials));
  }

  async testSaved(actor: Actor, id: string): Promise<StorageTestAnswer> {
    const row = await this.database.inWorkspace(actor.workspaceId, (tx) => this.directory.get(tx, actor.workspaceId, id));
    const folder = agentFolderOf(row);
    if (folder !== null) return this.testAgent(actor, folder);
    return probe(await this.factory.forTestOf(row));
  }

  /** The server cannot look at an agent's disk: it says whether that agent is there, and the first backup says the rest. */
  private testAgent(actor: Actor, folder: AgentFolder): Promise<StorageTestAnswer> {
    const startedAt = performance.now();
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const agent = await this.agents.get(tx, actor.workspaceId, folder.agentId);
      const ok = this.agents.isOnline(agent);
      const message = ok
        ? `The agent on ${agent.deviceName} is online. Whether it may and can write to ${folder.path} is seen with the first backup.`
        : `The agent on ${agent.deviceName} is offline. Start it, then test again.`;
      const latencyMs = Math.round(performance.now() - startedAt);
      const answer = { success: ok, latencyMs, checks: [{ name: 'agent online', ok, message }], message };
      return ok ? answer : { ...answer, code: 'AGENT_OFFLINE' };
    });
  }

  /** Makes room for a new default. The first storage of its type is the default unless the caller says no. */
  private async claimDefault(
    tx: Tx,
    claim: { workspaceId: string; type: StorageType; wanted: boolean | undefined },
  ): Promise<boolean> {
    const { workspaceId, type } = claim;
    if (claim.wanted === false) return false;
    await lockDefaults(tx, workspaceId, type);
    if (claim.wanted === undefined) {
      return !(await this.directory.shared(tx, workspaceId).andWhere('storage.storageType = :type', { type }).getExists());
    }
    await tx.update(StorageRow, { workspaceId, storageType: type, isDefault: true }, { isDefault: false });
    return true;
  }

  private changedCredentials(row: StorageRow, dto: UpdateStorageDto): string | null {
    const { s3AccessKeyId: accessKeyId, s3SecretAccessKey: secretAccessKey } = dto;
    if (accessKeyId === undefined && secretAccessKey === undefined) return row.credentials;
    if (row.storageType !== 's3') {
      throw invalidFields('Only an s3 storage has keys. Leave them out.', { s3AccessKeyId: 's3AccessKeyId belongs to s3' });
    }
    // Both at once need nothing of what was there: it may be gone, or no key of the server may open it any more.
    if (accessKeyId !== undefined && secretAccessKey !== undefined) return this.vault.seal(row, { accessKeyId, secretAccessKey });
    if (row.credentials === null) {
      const missing = accessKeyId === undefined ? 's3AccessKeyId' : 's3SecretAccessKey';
      throw invalidFields('This storage has no keys any more. Give both.', { [missing]: `${missing} is missing` });
    }
    const known = this.vault.open(row, row.credentials);
    return this.vault.seal(row, {
      accessKeyId: accessKeyId ?? known.accessKeyId,
      secretAccessKey: secretAccessKey ?? known.secretAccessKey,
    });
  }

  private record(tx: Tx, actor: Actor, deed: { action: string; id: string; detail?: Record<string, unknown> }): Promise<void> {
    const { action, id: targetId, detail = {} } = deed;
    return this.audit.record(tx, { workspaceId: actor.workspaceId, actor, action, targetType: 'storage', targetId, detail });
  }
}

/** Jobs and backups are modules further on, but their rows point here: this only counts what points. */
async function usesOf(tx: Tx, storageId: string): Promise<{ jobs: number; backups: number; leftovers: number }> {
  const rows = await tx.query<{ jobs: number; backups: number; leftovers: number }[]>(
    `SELECT (SELECT count(*)::int FROM jobs WHERE storage_id = $1 AND deleted_at IS NULL) AS jobs,
            (SELECT count(*)::int FROM backups
             WHERE storage_id = $1 AND deleted_at IS NULL AND status IN ('running','success')) AS backups,
            (SELECT count(*)::int FROM backups b JOIN backup_attempts a ON a.backup_id = b.id
             WHERE b.storage_id = $1 AND a.cleaned_at IS NULL AND a.state IN ('failed','cancelled','fenced')) AS leftovers`,
    [storageId],
  );
  return rows[0] ?? { jobs: 0, backups: 0, leftovers: 0 };
}

async function probe(backend: StorageBackend): Promise<StorageTestAnswer> {
  const startedAt = performance.now();
  const { checks } = await backend.probe();
  const failed = checks.find(({ ok }) => !ok);
  return {
    success: failed === undefined,
    latencyMs: Math.round(performance.now() - startedAt),
    checks: checks.map(({ name, ok, message }) => ({ name, ok, ...(message === undefined ? {} : { message }) })),
    ...(failed?.code === undefined ? {} : { code: failed.code }),
    ...(failed?.message === undefined ? {} : { message: failed.message }),
  };
}

async function assertUsable(backend: StorageBackend): Promise<void> {
  const failed = (await backend.probe()).checks.find(({ ok }) => !ok);
  if (failed) throw new AppError(failed.code ?? 'STORAGE_PERMANENT', failed.message ?? 'The storage folder cannot be used.');
}
