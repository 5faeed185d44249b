import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import type { StorageBackend } from '@rahatback/storage';
import { Database } from '../../platform/database/database.js';
import { StorageDirectory, StorageFactory, type StorageRow } from '../storages/index.js';

/** Storages that the server itself can list and read. */
@Injectable()
export class ServerStorages {
  constructor(
    private readonly database: Database,
    private readonly directory: StorageDirectory,
    private readonly factory: StorageFactory,
  ) {}

  /** @throws AppError NOT_FOUND; CONFLICT for one on an agent's own disk */
  open(workspaceId: string, storageId: string): Promise<{ row: StorageRow; backend: StorageBackend }> {
    return this.database.inWorkspace(workspaceId, async (tx) => {
      const row = await this.directory.get(tx, workspaceId, storageId);
      if (row.settings.agentId !== undefined) {
        throw new AppError(
          'CONFLICT',
          `The storage "${row.name}" is on its agent's own disk, which the server cannot read. Verify its backups instead.`,
        );
      }
      return { row, backend: (await this.factory.open(tx, workspaceId, storageId)).backend };
    });
  }
}
