import { Injectable, Logger } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import { AgentDirectory } from '../agents/index.js';
import { OneAtATime } from '../backups/index.js';
import type { RestoreRow } from './restore.entity.js';
import { tryLockRestore } from './restore.repository.js';
import { SwapCommands } from './swap-commands.service.js';
import { isSwapBusy } from './swap-states.js';
import { findOverdue, findUnanswered, isUndoOver } from './swap.repository.js';

const BATCH = 100;

/** Asks again where nobody knows what became of a swap, and drops what was kept past its time. Several workers may sweep at once. */
@Injectable()
export class SwapSweep {
  private readonly log = new Logger(SwapSweep.name);
  private readonly sweep = new OneAtATime(() => this.round());

  constructor(
    private readonly database: Database,
    private readonly agents: AgentDirectory,
    private readonly commands: SwapCommands,
  ) {}

  run(): Promise<void> {
    return this.sweep.run();
  }

  private async round(): Promise<void> {
    const unanswered = await this.database.asSystem('swap sweep', (tx) => findUnanswered(tx, BATCH));
    for (const ref of unanswered) await this.each(ref, (tx, restore) => this.askAgain(tx, restore));
    const overdue = await this.database.asSystem('swap sweep', (tx) => findOverdue(tx, BATCH));
    for (const ref of overdue) await this.each(ref, (tx, restore) => this.discard(tx, restore));
  }

  /** Each in a transaction of its own: one that cannot be settled must not keep the others from it. */
  private async each(
    { id, workspaceId }: { id: string; workspaceId: string },
    work: (tx: Tx, restore: RestoreRow) => Promise<void>,
  ): Promise<void> {
    try {
      await this.database.inWorkspace(workspaceId, async (tx) => {
        const restore = await tryLockRestore(tx, id);
        if (restore !== null) await work(tx, restore);
      });
    } catch (error) {
      // Somebody else works on the same live database: the next round finds it free.
      if (error instanceof AppError && error.code === 'ALREADY_RUNNING') return;
      this.log.error({ err: error, restoreId: id }, 'A swapped restore could not be swept; it is tried again.');
    }
  }

  private async askAgain(tx: Tx, restore: RestoreRow): Promise<void> {
    if (!isSwapBusy(restore.swapState)) return;
    if (await this.commands.resend(tx, restore)) this.log.log({ restoreId: restore.id }, 'A lost swap command was sent again.');
  }

  private async discard(tx: Tx, restore: RestoreRow): Promise<void> {
    const isKept = restore.swapState === 'swapped' || restore.swapState === 'undone';
    if (!isKept || !(await isUndoOver(tx, restore.id))) return;
    const { agent } = await this.commands.placeOf(tx, restore);
    if (this.agents.isOnline(agent)) await this.commands.begin(tx, restore, 'discard', 'system');
  }
}
