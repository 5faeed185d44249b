import type { BackupLocation } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { BackupObjectRow } from './backup-object.entity.js';
import type { AttemptRef } from './backup.repository.js';

type Place = Pick<BackupLocation, 'workspaceId' | 'databaseId' | 'backupId' | 'fence'>;

/** Everything that one attempt wrote lies below this prefix, and nothing else does. */
export const attemptPrefix = (place: Place): string =>
  `${place.workspaceId}/${place.databaseId}/${place.backupId}/${place.fence}/`;

export const objectKey = (place: Place, object: string): string => attemptPrefix(place) + object;

export const objectsOf = (tx: Tx, ref: AttemptRef): Promise<BackupObjectRow[]> =>
  tx.find(BackupObjectRow, { where: { backupId: ref.backupId, fence: ref.fence }, order: { object: 'ASC' } });

export const findObject = (tx: Tx, ref: AttemptRef, object: string): Promise<BackupObjectRow | null> =>
  tx.findOneBy(BackupObjectRow, { backupId: ref.backupId, fence: ref.fence, object });

/** The first upload opened for a name is the one. @returns the upload that counts, which may be another process's */
export const keepUpload = async (
  tx: Tx,
  ref: AttemptRef & { workspaceId: string },
  object: string,
  uploadId: string,
): Promise<BackupObjectRow> => {
  await tx.query(
    `INSERT INTO backup_objects (backup_id, fence, object, workspace_id, upload_id, state)
     VALUES ($1, $2, $3, $4, $5, 'open') ON CONFLICT (backup_id, fence, object) DO NOTHING`,
    [ref.backupId, ref.fence, object, ref.workspaceId, uploadId],
  );
  return tx.findOneByOrFail(BackupObjectRow, { backupId: ref.backupId, fence: ref.fence, object });
};

export interface StoredObjectFacts {
  readonly object: string;
  readonly sizeBytes: number;
  /** hex */
  readonly sha256: string;
  readonly stamp?: string;
}

/** Records what the storage has confirmed. Writing the same again changes nothing. */
export const keepStored = async (tx: Tx, ref: AttemptRef & { workspaceId: string }, stored: StoredObjectFacts): Promise<void> => {
  await tx.query(
    `INSERT INTO backup_objects (backup_id, fence, object, workspace_id, state, size_bytes, sha256, stamp)
     VALUES ($1, $2, $3, $4, 'stored', $5, $6, $7)
     ON CONFLICT (backup_id, fence, object)
     DO UPDATE SET state = 'stored', size_bytes = excluded.size_bytes, sha256 = excluded.sha256, stamp = excluded.stamp`,
    [ref.backupId, ref.fence, stored.object, ref.workspaceId, stored.sizeBytes, stored.sha256, stored.stamp ?? null],
  );
};

/** The bytes were read and are those that were stored. */
export const keepStamp = async (tx: Tx, ref: AttemptRef, object: string, stamp: string): Promise<void> => {
  await tx.update(BackupObjectRow, { backupId: ref.backupId, fence: ref.fence, object, state: 'stored' }, { stamp });
};

export const forgetOpenObjects = async (tx: Tx, ref: AttemptRef): Promise<void> => {
  await tx.delete(BackupObjectRow, { backupId: ref.backupId, fence: ref.fence, state: 'open' });
};

export const forgetObjects = async (tx: Tx, ref: AttemptRef): Promise<void> => {
  await tx.delete(BackupObjectRow, { backupId: ref.backupId, fence: ref.fence });
};
