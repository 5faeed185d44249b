import { Injectable } from '@nestjs/common';
import type { RestoreView } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { AgentDirectory } from '../agents/index.js';
import { assertOnline } from './restore-subjects.service.js';
import { checkConfirmation } from './restore-target.js';
import { toRestoreView } from './restore-view.js';
import type { RestoreRow } from './restore.entity.js';
import { getRestore, lockRestore } from './restore.repository.js';
import { SwapCommands, type SwapDeed } from './swap-commands.service.js';
import { isSwapBusy, swapMove } from './swap-states.js';
import { hasNewerSwap, isUndoOver } from './swap.repository.js';

const conflict = (sentence: string, restore: RestoreRow): AppError =>
  new AppError('CONFLICT', sentence, { status: restore.status, swapState: restore.swapState });

const undoExpired = (sentence: string): AppError =>
  new AppError('UNDO_EXPIRED', `${sentence} Restore a backup from before the change instead.`);

/** What people do with a restored database and the one that it takes the place of. */
@Injectable()
export class Swaps {
  constructor(
    private readonly database: Database,
    private readonly agents: AgentDirectory,
    private readonly commands: SwapCommands,
  ) {}

  /** Tries a swap again, or swaps in a copy that was made beside. @throws AppError CONFIRMATION_MISMATCH, CONFLICT, SELECTION_INVALID, AGENT_OFFLINE, ALREADY_RUNNING */
  swap(actor: Actor, restoreId: string, typed: string): Promise<RestoreView> {
    return this.run(actor, restoreId, 'swap', async (tx, restore) => {
      if (restore.selection.length > 0) {
        throw new AppError(
          'SELECTION_INVALID',
          'This restore holds only a part of the backup and cannot take the place of the whole.',
        );
      }
      const { database } = await this.commands.placeOf(tx, restore);
      const live = restore.liveDatabase ?? database.databaseName;
      checkConfirmation(typed, live);
      return { ...restore, liveDatabase: live };
    });
  }

  /** The old database is live again. @throws AppError UNDO_EXPIRED, and as `swap` */
  undo(actor: Actor, restoreId: string, typed: string): Promise<RestoreView> {
    return this.run(actor, restoreId, 'undo', async (tx, restore) => {
      checkConfirmation(typed, restore.liveDatabase ?? '');
      if (restore.swapState === 'discarded')
        throw undoExpired('The old database was dropped, so there is nothing to go back to.');
      // An undo that failed keeps the old database, however long ago the swap was.
      if (restore.swapState === 'swapped' && (await isUndoOver(tx, restore.id))) {
        throw undoExpired('The time for an undo is over and the old database is being dropped.');
      }
      if (await hasNewerSwap(tx, restore)) {
        throw conflict(`"${restore.liveDatabase ?? ''}" was replaced again since. Undo the newer restore first.`, restore);
      }
      return restore;
    });
  }

  /** Drops what a swap or an undo has kept, before its time. @throws as `swap` */
  discard(actor: Actor, restoreId: string, typed: string): Promise<RestoreView> {
    return this.run(actor, restoreId, 'discard', (_tx, restore) => {
      if (restore.retiredDatabase !== null) checkConfirmation(typed, restore.retiredDatabase);
      return Promise.resolve(restore);
    });
  }

  private run(
    actor: Actor,
    restoreId: string,
    deed: SwapDeed,
    check: (tx: Tx, restore: RestoreRow) => Promise<RestoreRow>,
  ): Promise<RestoreView> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const restore = await lockRestore(tx, actor.workspaceId, restoreId);
      if (restore.status !== 'success')
        throw conflict('Only a restore that has succeeded can be swapped. Look at its state.', restore);
      if (isSwapBusy(restore.swapState)) {
        throw new AppError('ALREADY_RUNNING', `This restore is ${restore.swapState ?? ''} right now. Wait until that has ended.`);
      }
      const checked = await check(tx, restore);
      if (swapMove(restore.swapState, deed) === null) {
        throw conflict(
          `This restore is ${restore.swapState ?? 'beside'}: there is nothing to ${deed} now. Look at its state.`,
          restore,
        );
      }
      const { agent } = await this.commands.placeOf(tx, checked);
      assertOnline(this.agents, agent, `${deed} again`);
      await this.commands.begin(tx, checked, deed, actor);
      return toRestoreView(await getRestore(tx, actor.workspaceId, restoreId), true);
    });
  }
}
