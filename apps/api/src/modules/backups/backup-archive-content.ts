import { AppError } from '@rahatback/contracts';
import type { ObjectStat } from '@rahatback/storage';
import type { ArchiveFile } from './backup-archive-layout.js';
import { archiveReadme, type ArchivedBackup } from './backup-archive-readme.js';
import { ASSEMBLE_SCRIPT, RECOVER_SCRIPT } from './backup-archive-scripts.js';
import { locationOf } from './backup-chain.js';
import type { BackupObjectRow } from './backup-object.entity.js';
import { attemptPrefix } from './backup-object.repository.js';
import type { BackupRow } from './backup.entity.js';

export interface BackupToArchive {
  readonly backup: BackupRow;
  readonly rows: readonly BackupObjectRow[];
  /** What the storage lists under the backup's attempt, by name. */
  readonly stats: ReadonlyMap<string, ObjectStat>;
}

const MANIFEST = 'manifest.json';

const damaged = (backupId: string, object: string, how: string): AppError =>
  new AppError('BACKUP_DAMAGED', `${object} of backup ${backupId} ${how}. Reconcile the storage, and download another backup.`, {
    backupId,
    object,
  });

/** Manifest, keys, index, data: whoever reads the archive in order learns first what it is. */
const rankOf = (object: string): number => {
  if (object === MANIFEST) return 0;
  if (object.startsWith('keys-')) return 1;
  return object === 'index' ? 2 : 3;
};

const inOrder = (a: { object: string }, b: { object: string }): number =>
  rankOf(a.object) - rankOf(b.object) || (a.object < b.object ? -1 : 1);

/** @throws AppError BACKUP_DAMAGED when an object is not there with its size */
export function archivedBackup({ backup, rows, stats }: BackupToArchive): ArchivedBackup {
  const location = locationOf(backup);
  const prefix = attemptPrefix(location);
  const stored = rows.filter(({ state }) => state === 'stored');
  const manifest = { object: MANIFEST, sizeBytes: null, sha256: backup.manifestSha256 };
  const objects = [...stored, manifest].sort(inOrder).map(({ object, sizeBytes, sha256 }) => {
    const stat = stats.get(object);
    if (!stat) throw damaged(backup.id, object, 'is not in the storage');
    if (sizeBytes !== null && stat.sizeBytes !== sizeBytes) throw damaged(backup.id, object, 'has another size than was stored');
    return { path: prefix + object, sizeBytes: stat.sizeBytes, sha256: sha256 ?? '' };
  });
  return {
    backupId: backup.id,
    backupType: backup.backupType,
    compression: backup.compression,
    completedAt: (backup.completedAt ?? backup.startedAt).toISOString(),
    folder: prefix.slice(0, -1),
    objects,
  };
}

const textFile = (path: string, text: string): ArchiveFile => {
  const bytes = Buffer.from(text);
  return { path, sizeBytes: bytes.length, content: { bytes } };
};

/** Everything in one folder, laid out below it as in a storage: `rahatback-agent restore --from` takes it as it is. */
export function archiveFiles(wanted: ArchivedBackup, links: readonly ArchivedBackup[]): ArchiveFile[] {
  const folder = `rahatback-${wanted.backupId}`;
  const objects = [...links, wanted].flatMap((backup) => backup.objects);
  return [
    textFile(`${folder}/README.txt`, archiveReadme(wanted, links)),
    textFile(`${folder}/recover.mjs`, RECOVER_SCRIPT),
    textFile(`${folder}/assemble.mjs`, ASSEMBLE_SCRIPT),
    ...objects.map(({ path, sizeBytes, sha256 }) => ({
      path: `${folder}/${path}`,
      sizeBytes,
      content: { key: path, sha256 },
    })),
  ];
}

/** ASCII alone, no name of a customer: safe in a header and on every disk. */
export const archiveName = ({ id, completedAt, startedAt }: BackupRow): string =>
  `rahatback-${(completedAt ?? startedAt).toISOString().slice(0, 19).replaceAll(/[:-]/g, '')}Z-${id}.tar`;
