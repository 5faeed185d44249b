import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import type { StorageBackend } from '@rahatback/storage';
import type { Tx } from '../../platform/database/database.js';
import { StorageFactory } from '../storages/index.js';
import { originOf } from './backup-chain.js';
import type { BackupRow } from './backup.entity.js';
import { attemptPrefix } from './backup-object.repository.js';

/** Where one attempt writes. */
export interface Place {
  readonly workspaceId: string;
  readonly databaseId: string;
  readonly backupId: string;
  readonly fence: number;
}

export interface EmptyStages {
  readonly onUploadsGone?: () => void;
  readonly onDeleted?: (object: string) => void;
}

type Located = Pick<BackupRow, 'id' | 'workspaceId' | 'databaseId' | 'originWorkspaceId' | 'originDatabaseId'>;

/** The storage of a backup, and what lies in it under one attempt. */
@Injectable()
export class AttemptStorage {
  constructor(private readonly storages: StorageFactory) {}

  /** @throws AppError CONFLICT for a folder on an agent's own disk */
  async open(tx: Tx, backup: Pick<BackupRow, 'workspaceId' | 'storageId'>): Promise<StorageBackend> {
    return (await this.storages.open(tx, backup.workspaceId, backup.storageId)).backend;
  }

  placeOf({ backup, attempt }: { readonly backup: Located; readonly attempt: { readonly fence: number } }): Place {
    return { ...originOf(backup), backupId: backup.id, fence: attempt.fence };
  }

  /** Uploads first: once they are gone no late completion can bring an object into being, so the list of objects that follows is whole. */
  async abortUploads(backend: StorageBackend, place: Place): Promise<void> {
    for await (const upload of backend.listUploads(attemptPrefix(place))) await backend.abortUpload(upload.key, upload.uploadId);
  }

  /** The manifest first: from then on there is no backup, only remains; then keys, index and data. `onDeleted` is told each object. */
  async deleteObjects(
    backend: StorageBackend,
    place: Place,
    onDeleted: (object: string) => void = () => undefined,
  ): Promise<void> {
    const prefix = attemptPrefix(place);
    const keys: string[] = [];
    for await (const object of backend.list(prefix)) keys.push(object.key);
    for (const key of keys.sort((a, b) => rankOf(a) - rankOf(b))) {
      await backend.delete(key);
      onDeleted?.(key.slice(prefix.length));
    }
  }

  /**
   * Takes everything away that lies under an attempt, as the storage itself lists it. May run twice and from several processes at once.
   * @param stages told once the uploads are gone, and after each deleted object
   * @returns whether the storage positively shows nothing any more
   */
  async empty(
    backend: StorageBackend,
    place: Place & { readonly hadObjects: boolean },
    stages: EmptyStages = {},
  ): Promise<boolean> {
    try {
      await this.abortUploads(backend, place);
      stages.onUploadsGone?.();
      await this.deleteObjects(backend, place, stages.onDeleted);
      return await this.isEmpty(backend, place);
    } catch (error) {
      // The folder of a disk storage appears with its first upload. Without one, a missing folder is no unmounted disk.
      if (backend.kind === 'local' && !place.hadObjects && error instanceof AppError && error.code === 'STORAGE_UNREACHABLE')
        return true;
      throw error;
    }
  }

  /** True only when the storage positively lists nothing. */
  private async isEmpty(backend: StorageBackend, place: Place): Promise<boolean> {
    const prefix = attemptPrefix(place);
    for await (const object of backend.list(prefix)) if (object.key.startsWith(prefix)) return false;
    for await (const upload of backend.listUploads(prefix)) if (upload.key.startsWith(prefix)) return false;
    return true;
  }
}

const rankOf = (key: string): number => {
  if (key.endsWith('/manifest.json')) return 0;
  if (/\/keys-\d+\.json$/.test(key)) return 1;
  return key.endsWith('/index') ? 2 : 3;
};
