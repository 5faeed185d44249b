import { Injectable, Logger } from '@nestjs/common';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database } from '../../platform/database/database.js';
import { crashPoint } from '@rahatback/backup-core/crash-point';
import { agentFolderAt, type AgentFolder } from '../storages/index.js';
import { AgentRemoval } from './agent-removal.service.js';
import { AttemptStorage } from './attempt-storage.service.js';
import type { UncleanAttempt } from './backup-attempt.repository.js';
import { findUnclean, markCleaned } from './backup-attempt.repository.js';
import { forgetObjects, objectsOf } from './backup-object.repository.js';
import { OneAtATime, StoragePatience } from './one-at-a-time.js';

const BATCH = 100;
const REST_MS = 2000;
const MAX_REST_MS = 300_000;
/** About a day of asking. Remains without a manifest are no backup, and an agent that restarts removes its own. */
const MAX_ORDERS = 30;

/**
 * Empties the places of attempts that came to nothing. Asks the storage itself what lies there, so that it also finds what no row knows of. May
 * run twice and in several workers: aborting and deleting what is gone is fine.
 */
@Injectable()
export class BackupCleanup {
  private readonly log = new Logger(BackupCleanup.name);
  private readonly patience = new StoragePatience(REST_MS, MAX_REST_MS);
  private readonly sweep = new OneAtATime(() => this.round());

  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly storage: AttemptStorage,
    private readonly removal: AgentRemoval,
  ) {}

  run(): Promise<void> {
    return this.sweep.run();
  }

  private async round(): Promise<void> {
    const attempts = await this.database.asSystem('cleanup', (tx) => findUnclean(tx, this.config.uploadUrlSeconds, BATCH));
    for (const attempt of attempts) {
      if (this.patience.isResting(attempt.storageId)) continue;
      try {
        await this.empty(attempt);
        this.patience.worked(attempt.storageId);
      } catch (error) {
        this.patience.failed(attempt.storageId);
        this.log.warn({ err: error, backupId: attempt.backupId }, 'What a failed backup left behind could not be removed yet.');
      }
    }
  }

  private async empty(attempt: UncleanAttempt): Promise<void> {
    const folder = await this.database.inWorkspace(attempt.workspaceId, (tx) => agentFolderAt(tx, attempt.storageId));
    if (folder !== null) return this.emptyOnAgent(attempt, folder);
    const { backend, hadObjects } = await this.database.inWorkspace(attempt.workspaceId, async (tx) => ({
      backend: await this.storage.open(tx, attempt),
      hadObjects: (await objectsOf(tx, attempt)).length > 0,
    }));
    const isEmpty = await this.storage.empty(
      backend,
      { ...attempt, hadObjects },
      { onUploadsGone: () => crashPoint('worker.cleanup.mid') },
    );
    if (!isEmpty) return;
    await this.database.inWorkspace(attempt.workspaceId, async (tx) => {
      await forgetObjects(tx, attempt);
      await markCleaned(tx, attempt);
    });
  }

  /** Its second look, too, is a second order: the agent may have been writing when the first one came. */
  private async emptyOnAgent(attempt: UncleanAttempt, folder: AgentFolder): Promise<void> {
    const lookAgainAt = new Date(attempt.endedAt.getTime() + this.config.uploadUrlSeconds * 1000);
    await this.database.inWorkspace(attempt.workspaceId, async (tx) => {
      const since = attempt.cleanedAt === null ? attempt.endedAt : lookAgainAt;
      if (!(await this.removal.remove(tx, { ...attempt, folder, since, atMost: MAX_ORDERS }))) return;
      await forgetObjects(tx, attempt);
      await markCleaned(tx, attempt);
    });
  }
}
