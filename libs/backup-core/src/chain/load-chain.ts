import { AppError } from '@rahatback/contracts';
import { ChunkTable } from '../index/chunk-table.js';
import { openLink, type BackupToOpen, type OpenLink } from '../restore/open-backup.js';
import { assertAsWritten, type AsWrittenCheck } from './assert-as-written.js';
import { inOrder } from './in-order.js';
import type { IndexCache } from './index-cache.js';

/** What a backup may point into. */
export interface LoadedChain {
  readonly chainId: string;
  /** The chain's one data key. */
  readonly dek: Buffer;
  /** Backup ids, oldest first; a place's `backup` n is `links[n - 1]`. */
  readonly links: readonly string[];
  readonly chunks: ChunkTable;
}

export interface LoadChainOptions extends AsWrittenCheck {
  /** Where copies of indexes are kept, so that they are not read again for every link. */
  readonly indexes?: IndexCache;
}

/**
 * Reads the indexes of a chain: every link, oldest first, for an incremental backup; the full alone for a differential one. Each link brings the
 * chunks that it stored itself. What a new backup would point into must be there as it was written, since damage would else be found at the restore:
 * see `assertAsWritten`.
 * @throws AppError as `openLink` and `assertAsWritten`, naming backup and object; CONFLICT when the links are not one chain
 */
export async function loadChain(links: readonly BackupToOpen[], options: LoadChainOptions = {}): Promise<LoadedChain> {
  const { indexes } = options;
  const opened: OpenLink[] = await inOrder(links, openLink);
  const [full] = opened;
  if (full?.manifest.type !== 'full') throw new AppError('CONFLICT', 'A chain begins with a full backup. Make one first.');
  for (const link of opened) assertSameChain(full, link);
  // Asked at once here: what is asked again below is known then.
  await inOrder(opened, (link) => link.assertStored());
  for (const link of opened) await assertAsWritten(link, options);
  const chunks = new ChunkTable();
  for (const [position, link] of opened.entries()) {
    const cached = indexes ? link.via((source) => indexes.source(source, link.manifest.index)) : link;
    for await (const line of cached.index()) {
      if (line.kind !== 'run' || line.run.frame.backup !== 0) continue;
      chunks.add({ frame: { ...line.run.frame, backup: position + 1 }, chunks: line.run.chunks });
    }
  }
  return { chainId: full.manifest.chain.id, dek: full.dek, links: opened.map(({ manifest }) => manifest.backupId), chunks };
}

function assertSameChain(full: OpenLink, { manifest, dek }: OpenLink): void {
  if (manifest.chain.id === full.manifest.chain.id && dek.equals(full.dek)) return;
  throw new AppError('CONFLICT', `Backup ${manifest.backupId} is of another chain. Make a full backup.`);
}
