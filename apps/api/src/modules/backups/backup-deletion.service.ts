import { Injectable, Logger } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import { crashPoint } from '@rahatback/backup-core/crash-point';
import type { Actor } from '../../platform/http/actor.js';
import { AuditTrail } from '../audit/index.js';
import { agentFolderAt, type AgentFolder } from '../storages/index.js';
import { AgentRemoval } from './agent-removal.service.js';
import { AttemptStorage, type Place } from './attempt-storage.service.js';
import { attemptsOf } from './backup-attempt.repository.js';
import { isBeingExported } from './agent-removal.repository.js';
import { objectsOf } from './backup-object.repository.js';
import { BackupSignals } from './backup-signals.service.js';
import { isBeingRestored, isBeingVerified } from './backup-surroundings.repository.js';
import type { BackupRow } from './backup.entity.js';
import { findDeleting, findDependent, lockBackup, markDeleted, markDeleting } from './backup.repository.js';
import { OneAtATime, StoragePatience } from './one-at-a-time.js';

export interface DeleteAnswer {
  readonly success: true;
  readonly status: 'deleting';
  readonly message: string;
}

const BATCH = 100;
const REST_MS = 2000;
const MAX_REST_MS = 300_000;

/** Deletes backups in two steps: the decision in a request, the work in a worker, again and again until the storage shows nothing. */
@Injectable()
export class BackupDeletion {
  private readonly log = new Logger(BackupDeletion.name);
  private readonly patience = new StoragePatience(REST_MS, MAX_REST_MS);
  private readonly sweep = new OneAtATime(() => this.round());

  constructor(
    private readonly database: Database,
    private readonly storage: AttemptStorage,
    private readonly audit: AuditTrail,
    private readonly signals: BackupSignals,
    private readonly removal: AgentRemoval,
  ) {}

  /** @throws AppError ALREADY_RUNNING, CHAIN_IN_USE */
  request(actor: Actor, backupId: string): Promise<DeleteAnswer> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const backup = await lockBackup(tx, actor.workspaceId, backupId);
      if (backup.deletingAt === null) {
        await this.refuseWhileNeeded(tx, backup);
        await markDeleting(tx, backup.id);
        await this.record(tx, backup, actor, 'backup.delete_requested');
        this.signals.deleteNeeded(tx);
      }
      return { success: true, status: 'deleting', message: 'The backup is being deleted from the storage.' };
    });
  }

  run(): Promise<void> {
    return this.sweep.run();
  }

  private async refuseWhileNeeded(tx: Tx, backup: BackupRow): Promise<void> {
    if (backup.status === 'running') {
      throw new AppError('ALREADY_RUNNING', 'The backup is still running. Cancel it first, then delete it.');
    }
    if (await isBeingRestored(tx, backup.id)) {
      throw new AppError('ALREADY_RUNNING', 'The backup is being restored. Wait until the restore has ended, then delete it.');
    }
    if (await isBeingVerified(tx, backup.id)) {
      throw new AppError(
        'ALREADY_RUNNING',
        'The backup is being verified. Wait until the verification has ended, or cancel it, then delete the backup.',
      );
    }
    if (await isBeingExported(tx, backup)) {
      throw new AppError(
        'ALREADY_RUNNING',
        'The backup is being exported. Wait until the export has ended, then delete the backup.',
      );
    }
    const dependentId = await findDependent(tx, backup);
    if (dependentId !== null) {
      throw new AppError('CHAIN_IN_USE', 'A later backup is built on this one. Delete the later ones first.', { dependentId });
    }
  }

  private async round(): Promise<void> {
    const backups = await this.database.asSystem('deletion', (tx) => findDeleting(tx, BATCH));
    for (const backup of backups) {
      if (this.patience.isResting(backup.storageId)) continue;
      try {
        await this.remove(backup);
        this.patience.worked(backup.storageId);
      } catch (error) {
        this.patience.failed(backup.storageId);
        this.log.warn({ err: error, backupId: backup.id }, 'A backup could not be deleted yet; it is tried again.');
      }
    }
  }

  private async remove(backup: BackupRow): Promise<void> {
    const folder = await this.database.inWorkspace(backup.workspaceId, (tx) => agentFolderAt(tx, backup.storageId));
    if (folder !== null) return this.removeOnAgent(backup, folder);
    const { backend, places } = await this.database.inWorkspace(backup.workspaceId, async (tx) => {
      const found: (Place & { hadObjects: boolean })[] = [];
      for (const attempt of await attemptsOf(tx, backup.id)) {
        const place = this.storage.placeOf({ backup, attempt });
        found.push({ ...place, hadObjects: (await objectsOf(tx, place)).length > 0 });
      }
      return { backend: await this.storage.open(tx, backup), places: found };
    });
    for (const place of places) if (!(await this.storage.empty(backend, place, { onDeleted: afterManifest }))) return;
    await this.database.inWorkspace(backup.workspaceId, async (tx) => {
      if (await markDeleted(tx, backup.id)) await this.record(tx, backup, 'system', 'backup.deleted');
    });
  }

  /** The row goes when the agent has said for every attempt that nothing is left of it. */
  private removeOnAgent(backup: BackupRow, folder: AgentFolder): Promise<void> {
    return this.database.inWorkspace(backup.workspaceId, async (tx) => {
      const since = backup.deletingAt ?? new Date();
      let isGone = true;
      for (const attempt of await attemptsOf(tx, backup.id)) {
        const place = { ...this.storage.placeOf({ backup, attempt }), backupType: backup.backupType };
        isGone = (await this.removal.remove(tx, { ...place, folder, since })) && isGone;
      }
      if (isGone && (await markDeleted(tx, backup.id))) await this.record(tx, backup, 'system', 'backup.deleted');
    });
  }

  private record(tx: Tx, backup: BackupRow, actor: Actor | 'system', action: string): Promise<void> {
    return this.audit.record(tx, { workspaceId: backup.workspaceId, actor, action, targetType: 'backup', targetId: backup.id });
  }
}

const afterManifest = (object: string): void => {
  if (object === 'manifest.json') crashPoint('worker.delete.after_manifest');
};
