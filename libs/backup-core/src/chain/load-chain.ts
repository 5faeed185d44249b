import { AppError } from '@rahatback/contracts';
import { ChunkTable } from '../index/chunk-table.js';
import { openLink, type BackupToOpen, type OpenLink } from '../restore/open-backup.js';

/** What a backup may point into. */
export interface LoadedChain {
  readonly chainId: string;
  /** The chain's one data key. */
  readonly dek: Buffer;
  /** Backup ids, oldest first; a place's `backup` n is `links[n - 1]`. */
  readonly links: readonly string[];
  readonly chunks: ChunkTable;
}

/**
 * Reads the indexes of a chain: every link, oldest first, for an incremental backup; the full alone for a differential one. Each link brings the
 * chunks that it stored itself. The caller falls back to a full backup when this throws, or when the chain is long enough.
 * @throws AppError as `openLink`; CONFLICT when the links are not one chain
 */
export async function loadChain(links: readonly BackupToOpen[]): Promise<LoadedChain> {
  const opened: OpenLink[] = [];
  for (const link of links) opened.push(await openLink(link));
  const [full] = opened;
  if (full?.manifest.type !== 'full') throw new AppError('CONFLICT', 'A chain begins with a full backup. Make one first.');
  const chunks = new ChunkTable();
  for (const [position, link] of opened.entries()) {
    if (link.manifest.chain.id !== full.manifest.chain.id || !link.dek.equals(full.dek)) {
      throw new AppError('CONFLICT', `Backup ${link.manifest.backupId} is of another chain. Make a full backup.`);
    }
    for await (const line of link.index()) {
      if (line.kind !== 'run' || line.run.frame.backup !== 0) continue;
      chunks.add({ frame: { ...line.run.frame, backup: position + 1 }, chunks: line.run.chunks });
    }
  }
  return { chainId: full.manifest.chain.id, dek: full.dek, links: opened.map(({ manifest }) => manifest.backupId), chunks };
}
