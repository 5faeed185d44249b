import { openBackup } from '@rahatback/backup-core';
import type { BackupLocation, ExportResult } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { reportBase, type Executor } from '../commands/executor.js';
import { exportDump, exportPlace } from '../storage/export-file.js';
import { ownBackups, type ExecutorParts } from './executor-parts.js';

function linkOf(links: readonly BackupLocation[], backupId: string): BackupLocation {
  const link = links.find((candidate) => candidate.backupId === backupId);
  if (link !== undefined) return link;
  throw new AppError(
    'OBJECT_MISSING',
    `This backup points into backup ${backupId}, which the server did not name: it may be deleted.`,
  );
}

/** `backup:export`: the plain dump of one backup as a file in this agent's export folder. */
export const backupExportExecutor =
  (parts: ExecutorParts): Executor<'backup:export'> =>
  async (run) => {
    const { command, signal } = run;
    const { backup: location, links, fileName } = command.payload;
    const place = await exportPlace(parts.home, { fileName, commandId: command.commandId });
    const backups = ownBackups(parts, command, signal);
    try {
      const linkSource = (backupId: string) => backups.open(linkOf(links, backupId)).source;
      const backup = await openBackup({ ...backups.open(location), linkSource });
      const { bytes, sha256 } = backup.end;
      const result: ExportResult = { ...reportBase(command), path: place.path, sizeBytes: bytes, sha256 };
      await exportDump(backup, place, { signal, onWritten: () => run.recordPrepared({ ...result }) });
      return { state: 'succeeded', result: { event: 'backup:export:result', message: { ...result } } };
    } finally {
      backups.close();
    }
  };
