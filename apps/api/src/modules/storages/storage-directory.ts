import { Injectable } from '@nestjs/common';
import { AppError, type StorageType } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { newId } from '../../platform/ids.js';
import { AuditTrail } from '../audit/index.js';
import type { AgentFolder } from './agent-folder.js';
import { DEFAULT_LOCAL_PATH } from './storage-settings.js';
import { StorageRow } from './storage.entity.js';

const MAX_NAME = 100;

/** What other modules ask of storages. */
@Injectable()
export class StorageDirectory {
  constructor(private readonly audit: AuditTrail) {}

  /** @throws AppError NOT_FOUND, also for one that was deleted or belongs to another workspace */
  async get(tx: Tx, workspaceId: string, storageId: string): Promise<StorageRow> {
    const row = await this.query(tx, workspaceId).andWhere('storage.id = :storageId', { storageId }).getOne();
    if (!row) throw new AppError('NOT_FOUND', 'There is no such storage in this workspace. Look at the list of storages.');
    return row;
  }

  /** The same, and nobody deletes or changes it until the caller's transaction ends. */
  async lock(tx: Tx, workspaceId: string, storageId: string): Promise<StorageRow> {
    await tx.query('SELECT 1 FROM storages WHERE id = $1 FOR UPDATE', [storageId]);
    return this.get(tx, workspaceId, storageId);
  }

  /**
   * The workspace's default of a type. A workspace without any local storage gets one: the server's disk needs no decision.
   * @throws AppError VALIDATION when there is none of another type, or none of several is the default
   */
  async requireDefault(tx: Tx, workspaceId: string, type: StorageType): Promise<StorageRow> {
    await lockDefaults(tx, workspaceId, type);
    const ofType = await this.shared(tx, workspaceId)
      .andWhere('storage.storageType = :type', { type })
      .orderBy('storage.isDefault', 'DESC')
      .limit(2)
      .getMany();
    const [first, second] = ofType;
    if (first && (first.isDefault || !second)) return first;
    if (!first && type === 'local') return this.createLocal(tx, workspaceId);
    throw new AppError(
      'VALIDATION',
      first
        ? `This workspace has several ${type} storages and none is the default. Give cloudStorageId, or make one the default.`
        : `This workspace has no ${type} storage. Add one, or give cloudStorageId.`,
      { fields: { cloudStorageId: ['cloudStorageId is needed'] } },
    );
  }

  /** The storage that is this folder on an agent's disk, made when there is none yet. Two who ask at once get the same. */
  async requireAgentFolder(tx: Tx, workspaceId: string, folder: AgentFolder): Promise<StorageRow> {
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`agent-folder ${folder.agentId} ${folder.path}`]);
    const known = await this.query(tx, workspaceId)
      .andWhere(`storage.storageType = 'local' AND storage.settings ->> 'agentId' = :agentId`, { agentId: folder.agentId })
      .andWhere(`storage.settings ->> 'path' = :path`, { path: folder.path })
      .orderBy('storage.createdAt')
      .getOne();
    if (known) return known;
    const name = `Agent disk: ${folder.path}`.slice(0, MAX_NAME);
    return this.insertLocal(tx, { workspaceId, name, isDefault: false, settings: { ...folder } });
  }

  /** Those that any database of the workspace can use; alias `storage`. */
  shared(tx: Tx, workspaceId: string) {
    return this.query(tx, workspaceId).andWhere(`storage.settings ->> 'agentId' IS NULL`);
  }

  /** The rows of a workspace that were not deleted; alias `storage`. */
  query(tx: Tx, workspaceId: string) {
    return tx
      .createQueryBuilder(StorageRow, 'storage')
      .where('storage.workspaceId = :workspaceId AND storage.deletedAt IS NULL', { workspaceId });
  }

  private createLocal(tx: Tx, workspaceId: string): Promise<StorageRow> {
    const settings = { path: DEFAULT_LOCAL_PATH };
    return this.insertLocal(tx, { workspaceId, name: 'Server disk', isDefault: true, settings });
  }

  private async insertLocal(
    tx: Tx,
    storage: Pick<StorageRow, 'workspaceId' | 'name' | 'isDefault' | 'settings'>,
  ): Promise<StorageRow> {
    const id = newId();
    const { workspaceId, isDefault } = storage;
    await tx.insert(StorageRow, { ...storage, id, storageType: 'local', credentials: null });
    await this.audit.record(tx, {
      workspaceId,
      actor: 'system',
      action: 'storage.created',
      targetType: 'storage',
      targetId: id,
      detail: { storageType: 'local', isDefault },
    });
    return this.get(tx, workspaceId, id);
  }
}

/** Two who choose a default of one type at once do it one after the other. */
export const lockDefaults = (tx: Tx, workspaceId: string, type: StorageType): Promise<unknown> =>
  tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`storage-default ${workspaceId} ${type}`]);
