import { Injectable } from '@nestjs/common';

/** What a ticket for a server-local part says about itself. */
export interface PartAttempt {
  readonly method: 'PUT' | 'GET';
  /** The workspace that the storage belongs to. */
  readonly ownerId: string;
  /** As the object's key says: the workspace that the backup was made in, another one where it was imported. */
  readonly workspaceId: string;
  readonly databaseId: string;
  readonly backupId: string;
  /** The fence of the attempt that writes, or wrote, the object. */
  readonly fence: number;
  /** `data-00001`, `index`, … */
  readonly object: string;
}

export type PartCheck = (attempt: PartAttempt) => Promise<boolean>;

/**
 * Asked at every use of a ticket. Storages know nothing of backups: the backups module says here which attempts are still alive (PUT), and which
 * backups may still be read (GET). Nothing registered: every ticket is refused.
 */
@Injectable()
export class PartGate {
  private check: PartCheck = () => Promise.resolve(false);

  register(check: PartCheck): void {
    this.check = check;
  }

  isOpen(attempt: PartAttempt): Promise<boolean> {
    return this.check(attempt);
  }
}
