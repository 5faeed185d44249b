import { Injectable } from '@nestjs/common';
import type { StorageBackend } from '@rahatback/storage';
import type { Tx } from '../../platform/database/database.js';

export interface OpenStorage {
  /** Patient: retries what may succeed later. */
  readonly backend: StorageBackend;
  /** Put it before `<workspace>/<database>/<backup>/<fence>/<object>`; empty, because the driver itself stands below the storage's folder or prefix. */
  readonly prefix: string;
}

/** Opens a workspace's storages with the credentials that only the server has. */
@Injectable()
export class StorageFactory {
  /**
   * Also opens a storage that was deleted in the meantime: what it holds must stay readable and removable.
   * @throws AppError NOT_FOUND, also for a storage of another workspace
   */
  open(tx: Tx, workspaceId: string, storageId: string): Promise<OpenStorage> {
    void [tx, workspaceId, storageId];
    return Promise.reject(new Error('not there yet'));
  }
}
