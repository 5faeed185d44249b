import { Injectable } from '@nestjs/common';
import type { AttemptStep, ErrorCode, RestoreStatus, TableComparison } from '@rahatback/contracts';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database, type Tx } from '../../platform/database/database.js';
import { LiveEvents } from '../../platform/realtime/live-events.js';
import { CommandOutbox, LeaseService } from '../agents/index.js';
import { AuditTrail, type AuditActor } from '../audit/index.js';
import type { RestoreRow } from './restore.entity.js';
import { addRestoreStep, moveRestore, restoreResourceOf } from './restore.repository.js';
import { SwapCommands } from './swap-commands.service.js';

export interface RestoreWords {
  readonly steps: readonly AttemptStep[];
  readonly logTail: string;
}

export interface RestoreFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly words?: RestoreWords;
  /** When it is the comparison that failed. */
  readonly tables?: readonly TableComparison[];
  /** The agent may still be at work and does not know yet. */
  readonly tellAgent?: boolean;
}

/** The agent's steps take the place of those that were noted while it worked; ours stay before them. */
const withOurs = (restore: RestoreRow, words: RestoreWords): RestoreWords => ({
  ...words,
  steps: [...restore.steps.filter((step) => step.name !== 'started'), ...words.steps],
});

const counted = (tables: readonly TableComparison[]) => ({
  tables,
  tablesTotal: tables.length,
  tablesEqual: tables.filter((table) => table.equal).length,
});

interface RestoreEnd {
  readonly actor: AuditActor;
  readonly status: RestoreStatus;
  readonly code?: ErrorCode;
}

const EVENT_OF = {
  running: 'restore:started',
  success: 'restore:completed',
  failed: 'restore:failed',
  cancelled: 'restore:failed',
} as const;

/**
 * Every way in which a restore ends. Row, command and lease move together in the caller's transaction; each method returns whether it was the one
 * that ended the restore. A restore is never tried again by itself: what it left behind is for a person to see first. Rows
 * are locked in the order restore, lease, agent, command, as heartbeats do.
 */
@Injectable()
export class RestoreSettlement {
  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly leases: LeaseService,
    private readonly outbox: CommandOutbox,
    private readonly audit: AuditTrail,
    private readonly live: LiveEvents,
    private readonly swaps: SwapCommands,
  ) {}

  async complete(tx: Tx, restore: RestoreRow, tables: readonly TableComparison[], words: RestoreWords): Promise<boolean> {
    if (!(await moveRestore(tx, restore, 'complete', { ...withOurs(restore, words), ...counted(tables) }))) return false;
    await this.release(tx, restore);
    if (restore.mode === 'swap') await this.swaps.follow(tx, restore);
    await this.outbox.markEnded(tx, restore.commandId, 'succeeded');
    await this.after(tx, restore, { actor: { agentId: restore.agentId }, status: 'success' });
    return true;
  }

  async fail(tx: Tx, restore: RestoreRow, failure: RestoreFailure): Promise<boolean> {
    const error = { errorCode: failure.code, errorMessage: failure.message };
    const seen = failure.tables === undefined ? {} : counted(failure.tables);
    if (!(await moveRestore(tx, restore, 'fail', { ...error, ...(failure.words && withOurs(restore, failure.words)), ...seen })))
      return false;
    await this.release(tx, restore);
    if (failure.tellAgent === true) await this.tellToStop(tx, restore);
    await this.outbox.markEnded(tx, restore.commandId, 'failed', { error: { code: failure.code, message: failure.message } });
    await this.after(tx, restore, { actor: 'system', status: 'failed', code: failure.code });
    return true;
  }

  /** The agent hears of it afterwards and drops the half-made database. */
  async cancel(tx: Tx, restore: RestoreRow, actor: AuditActor): Promise<boolean> {
    const error = { errorCode: 'CANCELLED', errorMessage: 'The restore was cancelled.' } as const;
    if (!(await moveRestore(tx, restore, 'cancel', error))) return false;
    await this.release(tx, restore);
    if (!(await this.outbox.cancelPending(tx, restore.commandId))) {
      await this.tellToStop(tx, restore);
      await this.outbox.markEnded(tx, restore.commandId, 'cancelled');
    }
    await this.after(tx, restore, { actor, status: 'cancelled', code: 'CANCELLED' });
    return true;
  }

  /** Writes what the server did itself into the steps of a restore. */
  async note(tx: Tx, restore: RestoreRow, name: string, detail: string): Promise<void> {
    const step = { name, at: new Date().toISOString(), detail };
    await addRestoreStep(tx, restore, step);
  }

  private async tellToStop(tx: Tx, restore: RestoreRow): Promise<void> {
    await this.outbox.enqueue(tx, {
      workspaceId: restore.workspaceId,
      agentId: restore.agentId,
      type: 'restore:cancel',
      resource: restoreResourceOf(restore),
      fence: restore.fence,
      payload: { targetCommandId: restore.commandId },
      sealed: [],
      expiresInMs: this.config.leaseMs,
    });
  }

  announce(
    tx: Tx,
    restore: Pick<RestoreRow, 'id' | 'backupId' | 'workspaceId'>,
    status: RestoreStatus,
    errorCode?: ErrorCode,
  ): void {
    const event = {
      restoreHistoryId: restore.id,
      historyId: restore.backupId,
      status,
      ...(errorCode === undefined ? {} : { errorCode }),
    };
    this.database.afterCommit(tx, () => this.live.toWorkspace(restore.workspaceId, EVENT_OF[status], event));
  }

  private release(tx: Tx, restore: RestoreRow): Promise<void> {
    return this.leases.release(tx, restoreResourceOf(restore), restore.fence);
  }

  private async after(tx: Tx, restore: RestoreRow, end: RestoreEnd): Promise<void> {
    const { actor, status, code } = end;
    await this.audit.record(tx, {
      workspaceId: restore.workspaceId,
      actor,
      action: `restore.${status === 'success' ? 'succeeded' : status}`,
      targetType: 'restore',
      targetId: restore.id,
      outcome: status === 'failed' ? 'failure' : 'success',
      ...(code === undefined ? {} : { detail: { code } }),
    });
    this.announce(tx, restore, status, code);
  }
}
