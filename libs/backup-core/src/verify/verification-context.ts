import { AppError } from '@rahatback/contracts';
import type { BackupSource } from '@rahatback/storage/agent';
import type { Progress } from '../progress.js';
import type { ChainToOpen } from '../restore/open-backup.js';
import type { CheckList } from './check-list.js';
import { HashedSource } from './hashed-source.js';
import type { VerificationRequest } from './verification.js';

/** What the parts of one verification work with. */
export interface VerificationContext {
  readonly request: VerificationRequest;
  readonly checks: CheckList;
  readonly progress: Progress;
  readonly stored: StoredSources;
}

/** The places of a backup and its links, each hashed while it is read. */
export class StoredSources {
  readonly own: HashedSource;
  private readonly links = new Map<string, HashedSource>();

  constructor(private readonly backup: ChainToOpen) {
    this.own = new HashedSource(backup.source);
  }

  /** @throws AppError OBJECT_MISSING for a link that nobody knows the place of */
  link(backupId: string): HashedSource {
    const known = this.links.get(backupId) ?? new HashedSource(this.placeOf(backupId));
    this.links.set(backupId, known);
    return known;
  }

  toOpen(): ChainToOpen {
    return { ...this.backup, source: this.own, linkSource: (backupId) => this.link(backupId) };
  }

  private placeOf(backupId: string): BackupSource {
    const { linkSource } = this.backup;
    if (linkSource) return linkSource(backupId);
    throw new AppError('OBJECT_MISSING', `This backup points into backup ${backupId}: say where that one is.`, { backupId });
  }
}
