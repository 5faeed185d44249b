import { Injectable } from '@nestjs/common';
import type { RestorePayload } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { AppConfig } from '../../platform/config/app-config.js';
import type { Tx } from '../../platform/database/database.js';
import { CommandOutbox, LeaseService } from '../agents/index.js';
import { chainLocked, locationOf, timeLimitOf } from '../backups/index.js';
import { connectionOf, DatabaseRow } from '../databases/index.js';
import { agentPathOf } from '../storages/index.js';
import type { BackupKey } from './key-handover.service.js';
import type { RestoreSubject } from './restore-subjects.service.js';
import type { RestoreRow } from './restore.entity.js';
import { restoreResource, restoreResourceOf, targetIdOf } from './restore.repository.js';

export const alreadyRunning = (target: string): AppError =>
  new AppError(
    'ALREADY_RUNNING',
    `A restore into "${target}" is running. Wait until it has ended, cancel it, or choose another target.`,
  );

/** Writes the order of a restore from its row, at once or when the key has come. */
@Injectable()
export class RestoreCommands {
  constructor(
    private readonly config: AppConfig,
    private readonly outbox: CommandOutbox,
    private readonly leases: LeaseService,
  ) {}

  /** `key` is null for an agent that has a slot of its own. */
  async send(tx: Tx, restore: RestoreRow, key: BackupKey | null): Promise<void> {
    const { workspaceId, agentId, fence } = restore;
    const { backup, links } = await chainLocked(tx, workspaceId, restore.backupId);
    const database = await tx.findOneByOrFail(DatabaseRow, { id: targetIdOf(restore) });
    const payload: RestorePayload = {
      restoreId: restore.id,
      backup: locationOf(backup),
      links,
      agentPath: await agentPathOf(tx, backup.storageId, agentId),
      keyRef: key?.secret.ref ?? null,
      signedBy: key?.signedBy ?? null,
      selection: restore.selection,
      parallelism: restore.parallelism,
      connection: connectionOf(database),
      targetDatabase: restore.targetDatabase,
      timeLimitMs: (await timeLimitOf(tx, backup.jobId)) * 60_000,
    };
    await this.outbox.enqueue(tx, {
      id: restore.commandId,
      workspaceId,
      agentId,
      type: 'restore:execute',
      resource: restoreResourceOf(restore),
      fence,
      payload,
      sealed: [database.password, key?.secret].filter((secret) => secret != null),
      expiresInMs: this.config.leaseMs,
    });
  }

  /** The right to write into the target. @returns the fence @throws AppError ALREADY_RUNNING */
  claim(tx: Tx, { database, agent, target }: RestoreSubject, operationId: string): Promise<number> {
    return this.leases
      .acquire(tx, {
        resource: restoreResource(database.id, target),
        workspaceId: database.workspaceId,
        holder: agent.id,
        operationId,
        ttlMs: this.config.leaseMs,
      })
      .catch((error: unknown) => {
        throw error instanceof AppError && error.code === 'ALREADY_RUNNING' ? alreadyRunning(target) : error;
      });
  }

  /** The lease lasts anew from here: nobody renewed it while the key was on its way. */
  async keepAlive(tx: Tx, restore: RestoreRow): Promise<void> {
    const item = { resource: restoreResourceOf(restore), fence: restore.fence };
    await this.leases.renew(tx, restore.agentId, [item], this.config.leaseMs);
  }
}
