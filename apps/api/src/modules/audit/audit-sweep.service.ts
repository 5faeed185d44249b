import { Injectable, Logger } from '@nestjs/common';
import type { AuditCheckpoint } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { Tx } from '../../platform/database/database.js';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import { AuditChainRepository } from './audit-chain.repository.js';
import { chainEvents, EMPTY_CHAIN, isSigned, signCheckpoint } from './audit-chain.js';
import { chainInTransaction } from './chain-pages.js';
import { verifyChain } from './verify-chain.js';

const BATCH = 500;
const CHECKPOINT_ROWS = 100;
const CHECKPOINT_AGE_MS = 600_000;

/**
 * Gives audit rows their places in their workspace's chain, and signs checkpoints. The rows themselves say what is left to do, so it may run in
 * any number of workers at once, be killed anywhere and run again; a row that is committed late comes later in the chain and is never passed over.
 */
@Injectable()
export class AuditSweep {
  private readonly log = new Logger(AuditSweep.name);

  constructor(
    private readonly database: Database,
    private readonly chain: AuditChainRepository,
    private readonly keys: ServerKeys,
  ) {}

  /** One workspace that fails does not hold up the others. */
  async run(): Promise<void> {
    await this.forEach(await this.database.asSystem('audit sweep', (tx) => this.chain.workspacesToChain(tx)), (workspaceId) =>
      this.chainWorkspace(workspaceId),
    );
  }

  /** Signs what has stood unsigned for ten minutes. */
  async signOld(ageMs = CHECKPOINT_AGE_MS): Promise<void> {
    const due = await this.database.asSystem('audit checkpoints', (tx) => this.chain.workspacesToSign(tx, ageMs));
    await this.forEach(due, (workspaceId) =>
      this.database.inWorkspace(workspaceId, async (tx) => {
        if (await this.chain.lock(tx, workspaceId)) await this.sign(tx, workspaceId, 1);
      }),
    );
  }

  private async forEach(workspaceIds: readonly string[], work: (workspaceId: string) => Promise<void>): Promise<void> {
    for (const workspaceId of workspaceIds) {
      try {
        await work(workspaceId);
      } catch (error) {
        this.log.error({ err: error, workspaceId }, 'The audit log of a workspace could not be chained; the next sweep goes on.');
      }
    }
  }

  private async chainWorkspace(workspaceId: string): Promise<void> {
    let left = true;
    while (left) left = await this.database.inWorkspace(workspaceId, (tx) => this.chainBatch(tx, workspaceId));
  }

  /** Answers whether there may be more. */
  private async chainBatch(tx: Tx, workspaceId: string): Promise<boolean> {
    if (!(await this.chain.lock(tx, workspaceId))) return false; // another worker is at it
    const head = await this.chain.head(tx, workspaceId);
    const rows = await this.chain.unchained(tx, workspaceId, BATCH);
    if (rows.length === 0) return false;
    await this.chain.chain(tx, chainEvents(head, rows));
    await this.sign(tx, workspaceId, CHECKPOINT_ROWS);
    return rows.length === BATCH;
  }

  /**
   * Signs the head when the chain has grown by `rows` since the newest checkpoint (the first one at once), and only if all that came since is
   * whole: a checkpoint never covers up what was done to the rows below it.
   */
  private async sign(tx: Tx, workspaceId: string, rows: number): Promise<void> {
    const newest = await this.chain.newestCheckpoint(tx, workspaceId);
    const target = await this.chain.head(tx, workspaceId);
    if (target.sequence < (newest ? newest.sequence + rows : 1)) return;
    const { head, brokenAt } = await this.verifySince(tx, workspaceId, newest);
    if (brokenAt) {
      this.log.error(
        { workspaceId, brokenAt },
        'The audit log of a workspace is damaged, so no checkpoint is signed. Verify it.',
      );
      return;
    }
    const at = await this.chain.now(tx);
    await this.chain.addCheckpoint(tx, signCheckpoint(this.keys.manifestKey, { workspaceId, ...head, at }));
  }

  private verifySince(tx: Tx, workspaceId: string, newest: AuditCheckpoint | undefined) {
    const byUs = (checkpoint: AuditCheckpoint): boolean => isSigned(this.keys, checkpoint);
    const source = { ...chainInTransaction(this.chain, tx, workspaceId), known: newest ? [newest] : [], isSigned: byUs };
    if (!newest) return verifyChain(source, EMPTY_CHAIN);
    if (!byUs(newest)) {
      const brokenAt = { sequence: newest.sequence, id: null, reason: 'checkpoint_forged' as const };
      return Promise.resolve({ head: EMPTY_CHAIN, brokenAt, checkpoints: 0 });
    }
    return verifyChain(source, { sequence: newest.sequence, hash: newest.hash });
  }
}
