import { Injectable } from '@nestjs/common';
import type { CommandPayloads, ErrorCode, SwapState } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database, type Tx } from '../../platform/database/database.js';
import { newId } from '../../platform/ids.js';
import { LiveEvents } from '../../platform/realtime/live-events.js';
import { AgentDirectory, CommandOutbox, CommandRow, LeaseService, type AgentRow } from '../agents/index.js';
import { AuditTrail, type AuditActor } from '../audit/index.js';
import { connectionOf, DatabaseRow } from '../databases/index.js';
import { retiredName } from './restore-target.js';
import type { RestoreRow } from './restore.entity.js';
import { targetIdOf } from './restore.repository.js';
import { assertNobodyElse, moveSwap, replaceSwapCommand, swapResource } from './swap.repository.js';

/** What is asked of the agent. */
export type SwapDeed = 'swap' | 'undo' | 'discard';
export type SwapCommandType = `restore:${SwapDeed}`;
export const SWAP_DEEDS: readonly SwapDeed[] = ['swap', 'undo', 'discard'];

type SwapOrder = CommandPayloads[SwapCommandType];

interface Order {
  readonly id: string;
  readonly fence: number;
  readonly type: SwapCommandType;
  readonly payload: SwapOrder;
}

interface Place {
  readonly database: DatabaseRow;
  readonly agent: AgentRow;
}

const WRONG_STATE: Readonly<Record<SwapDeed, string>> = {
  swap: 'This restore is not waiting for a swap. Look at its state.',
  undo: 'There is no swap of this restore to undo. Look at its state.',
  discard: 'There is nothing of this restore to discard. Look at its state.',
};

/** What the agent is to do with which names. An undo names the same as its swap did. */
const orderOf = (deed: SwapDeed, restore: RestoreRow, database: DatabaseRow): SwapOrder => {
  const connection = connectionOf(database);
  const live = restore.liveDatabase ?? database.databaseName;
  if (deed === 'discard') return { restoreId: restore.id, connection, database: restore.retiredDatabase ?? '' };
  return {
    restoreId: restore.id,
    connection,
    liveDatabase: live,
    // After an undo the copy bears the retired name.
    restoredDatabase: deed === 'undo' ? restore.targetDatabase : (restore.retiredDatabase ?? restore.targetDatabase),
    retiredDatabase: restore.retiredDatabase ?? retiredName(live, new Date()),
    drainMs: restore.drainSeconds * 1000,
  };
};

/** Orders swaps, undos and discards: state, lease, command and audit in the caller's transaction. The restore's row is locked by the caller. */
@Injectable()
export class SwapCommands {
  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly agents: AgentDirectory,
    private readonly leases: LeaseService,
    private readonly outbox: CommandOutbox,
    private readonly audit: AuditTrail,
    private readonly live: LiveEvents,
  ) {}

  /** The database as it is reached today: it may have moved to another agent since, or have been taken off the list. */
  async placeOf(tx: Tx, restore: RestoreRow): Promise<Place> {
    const database = await tx.findOneByOrFail(DatabaseRow, { id: targetIdOf(restore) });
    return { database, agent: await this.agents.get(tx, restore.workspaceId, database.agentId) };
  }

  /** @throws AppError ALREADY_RUNNING, CONFLICT; then nothing has changed */
  async begin(tx: Tx, restore: RestoreRow, deed: SwapDeed, actor: AuditActor): Promise<SwapState> {
    const place = await this.placeOf(tx, restore);
    const fence = await this.claim(tx, restore, place.agent);
    await assertNobodyElse(tx, restore).catch(async (error: unknown) => {
      await this.leases.release(tx, swapResource(restore), fence);
      throw error;
    });
    const order: Order = { id: newId(), fence, type: `restore:${deed}`, payload: orderOf(deed, restore, place.database) };
    const change = { swapCommandId: order.id, liveDatabase: restore.liveDatabase, errorCode: null, errorMessage: null };
    const state = await moveSwap(tx, restore, deed, change);
    if (state === null) throw new AppError('CONFLICT', WRONG_STATE[deed], { swapState: restore.swapState });
    await this.send(tx, restore, place, order);
    await this.record(tx, restore, { action: `restore.${deed}_started`, actor });
    this.announce(tx, restore, state);
    return state;
  }

  /** After a restore that was asked for with a swap. What cannot begin now leaves the copy beside, with the reason. */
  async follow(tx: Tx, restore: RestoreRow): Promise<void> {
    try {
      await this.begin(tx, restore, 'swap', 'system');
    } catch (error) {
      if (!(error instanceof AppError) || error.kind !== 'user') throw error;
      const state = await moveSwap(tx, restore, 'giveUp', { errorCode: error.code, errorMessage: error.message });
      if (state !== null) this.announce(tx, restore, state, error.code);
    }
  }

  /**
   * Sends the same order again under a new fence, when nobody knows what became of the one before: the agent looks first at how things stand.
   * @returns whether it was sent; not while the agent is away
   */
  async resend(tx: Tx, restore: RestoreRow): Promise<boolean> {
    const place = await this.placeOf(tx, restore);
    const old = await tx.findOneBy(CommandRow, { id: restore.swapCommandId ?? '' });
    if (old === null || !this.agents.isOnline(place.agent)) return false;
    const change = { fence: old.fence, holder: place.agent.id, ttlMs: this.config.leaseMs };
    const fence = await this.leases.bump(tx, swapResource(restore), change);
    const id = newId();
    if (!(await replaceSwapCommand(tx, restore, id))) return false;
    const payload = { ...(old.payload as SwapOrder), connection: connectionOf(place.database) };
    await this.send(tx, restore, place, { id, fence, type: old.type as SwapCommandType, payload });
    return true;
  }

  announce(tx: Tx, restore: Pick<RestoreRow, 'id' | 'workspaceId'>, swapState: SwapState, errorCode?: ErrorCode): void {
    const event = { restoreHistoryId: restore.id, swapState, ...(errorCode === undefined ? {} : { errorCode }) };
    this.database.afterCommit(tx, () => this.live.toWorkspace(restore.workspaceId, 'restore:swap', event));
  }

  record(tx: Tx, restore: RestoreRow, deed: { action: string; actor: AuditActor; code?: ErrorCode }): Promise<void> {
    const { action, actor, code } = deed;
    const { liveDatabase, retiredDatabase, targetDatabase } = restore;
    return this.audit.record(tx, {
      workspaceId: restore.workspaceId,
      actor,
      action,
      targetType: 'restore',
      targetId: restore.id,
      outcome: code === undefined ? 'success' : 'failure',
      detail: { liveDatabase, retiredDatabase, targetDatabase, ...(code === undefined ? {} : { code }) },
    });
  }

  private async send(tx: Tx, restore: RestoreRow, { database, agent }: Place, order: Order): Promise<void> {
    await this.outbox.enqueue(tx, {
      ...order,
      workspaceId: restore.workspaceId,
      agentId: agent.id,
      resource: swapResource(restore),
      sealed: database.password === null ? [] : [database.password],
      expiresInMs: this.config.leaseMs,
    });
  }

  private claim(tx: Tx, restore: RestoreRow, agent: AgentRow): Promise<number> {
    const { workspaceId, id: operationId } = restore;
    const request = { resource: swapResource(restore), workspaceId, holder: agent.id, operationId, ttlMs: this.config.leaseMs };
    return this.leases.acquire(tx, request).catch((error: unknown) => {
      if (!(error instanceof AppError) || error.code !== 'ALREADY_RUNNING') throw error;
      throw new AppError(
        'ALREADY_RUNNING',
        `"${restore.liveDatabase ?? ''}" is being changed right now. Wait until that has ended, then try again.`,
      );
    });
  }
}
