import { buffer } from 'node:stream/consumers';
import { Injectable } from '@nestjs/common';
import type { AgentKeysView, BackupKeysQueryDto, BackupKeysView } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { parseKeysFile } from '@rahatback/crypto';
import type { StorageBackend } from '@rahatback/storage';
import { Database } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { AgentDirectory, type AgentRow } from '../agents/index.js';
import { AuditTrail } from '../audit/index.js';
import { chainLocked, locationOf } from '../backups/index.js';
import { DatabaseDirectory } from '../databases/index.js';
import { agentFolderAt, StorageFactory } from '../storages/index.js';
import { keyBinding } from './key-handover.service.js';

const MAX_KEYS_BYTES = 4 * 1024 * 1024;

const keysOf = ({ id, deviceName, fingerprint, signPublicKey, sealPublicKey }: AgentRow): AgentKeysView => ({
  agentId: id,
  deviceName,
  fingerprint,
  signPublicKey,
  sealPublicKey,
});

/** The stored keys file of a backup, for whoever holds the recovery identity: what is in it opens nothing by itself. */
@Injectable()
export class BackupKeys {
  constructor(
    private readonly database: Database,
    private readonly agents: AgentDirectory,
    private readonly databases: DatabaseDirectory,
    private readonly storages: StorageFactory,
    private readonly audit: AuditTrail,
  ) {}

  /** @throws AppError NOT_FOUND, CONFLICT, OBJECT_MISSING, KEYS_INVALID */
  async read(actor: Actor, backupId: string, { targetDatabaseId }: BackupKeysQueryDto): Promise<BackupKeysView> {
    const { workspaceId } = actor;
    const found = await this.database.inWorkspace(workspaceId, async (tx) => {
      const { backup } = await chainLocked(tx, workspaceId, backupId);
      if (backup.status !== 'success') throw new AppError('CONFLICT', 'Only a successful backup has keys. Choose another one.');
      if ((await agentFolderAt(tx, backup.storageId)) !== null) {
        throw new AppError('CONFLICT', "This backup lies on its agent's own disk: open it there with rahatback-agent restore.");
      }
      const target = await this.databases.get(tx, workspaceId, targetDatabaseId ?? backup.databaseId);
      await this.audit.record(tx, { workspaceId, actor, action: 'backup.keys_read', targetType: 'backup', targetId: backupId });
      return {
        location: locationOf(backup),
        maker: await this.agents.get(tx, workspaceId, backup.agentId),
        receiver: await this.agents.get(tx, workspaceId, target.agentId),
        backend: (await this.storages.open(tx, workspaceId, backup.storageId)).backend,
      };
    });
    const { location, maker, receiver, backend } = found;
    const prefix = `${location.workspaceId}/${location.databaseId}/${location.backupId}/${location.fence}/keys-`;
    return {
      backupId,
      keysFile: await newestKeys(backend, prefix),
      maker: keysOf(maker),
      receiver: keysOf(receiver),
      binding: keyBinding(receiver.id, backupId),
    };
  }
}

async function newestKeys(backend: StorageBackend, prefix: string): Promise<string> {
  let newest: { readonly key: string; readonly generation: number } | null = null;
  for await (const { key, sizeBytes } of backend.list(prefix)) {
    const generation = Number(/^(\d{1,4})\.json$/.exec(key.slice(prefix.length))?.[1] ?? 0);
    if (sizeBytes <= MAX_KEYS_BYTES && generation > (newest?.generation ?? 0)) newest = { key, generation };
  }
  if (newest === null)
    throw new AppError('OBJECT_MISSING', 'The keys file of this backup is not in the storage. Choose another backup.');
  const bytes = await buffer(await backend.read(newest.key));
  parseKeysFile(bytes);
  return bytes.toString('utf8');
}
