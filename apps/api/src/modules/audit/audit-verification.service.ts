import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import type { AuditBreak, AuditCheckpointAnswer, AuditVerification, AuditVerifyQueryDto } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { Tx } from '../../platform/database/database.js';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import { AuditChainRepository } from './audit-chain.repository.js';
import { isSigned, keyOf } from './audit-chain.js';
import type { ChainHead } from './audit-chain.js';
import { readPage } from './chain-pages.js';
import { verifyChain } from './verify-chain.js';

/** Reads the audit log for somebody who does not believe it. One short transaction for each page, so a long log holds nothing up. */
@Injectable()
export class AuditVerifications {
  constructor(
    private readonly database: Database,
    private readonly chain: AuditChainRepository,
    private readonly keys: ServerKeys,
  ) {}

  /** @throws AppError VALIDATION for half a checkpoint */
  async verify(workspaceId: string, kept: AuditVerifyQueryDto = {}): Promise<AuditVerification> {
    const keptHead = headOf(kept);
    const within = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => this.database.inWorkspace(workspaceId, work);
    const [counts, newest] = await within(async (tx) => [
      await this.chain.counts(tx, workspaceId),
      await this.chain.newestCheckpoint(tx, workspaceId),
    ]);
    const found = await verifyChain({
      known: newest ? [newest] : [],
      pageAfter: (sequence) => within((tx) => readPage(this.chain, tx, workspaceId, sequence)),
      isSigned: (checkpoint) => isSigned(this.keys, checkpoint),
    });
    const brokenAt = await within(
      async (tx) =>
        found.brokenAt ??
        (await this.extra(tx, workspaceId)) ??
        (keptHead && (await this.contradiction(tx, workspaceId, keptHead, found.head))) ??
        null,
    );
    return { ...counts, ok: brokenAt === null, brokenAt, checkpoints: found.checkpoints };
  }

  /** @throws AppError NOT_FOUND before the first one */
  async checkpoint(workspaceId: string): Promise<AuditCheckpointAnswer> {
    const checkpoint = await this.database.inWorkspace(workspaceId, (tx) => this.chain.newestCheckpoint(tx, workspaceId));
    if (!checkpoint)
      throw new AppError('NOT_FOUND', 'No checkpoint has been signed yet. Ask again in some seconds; a worker must be running.');
    const { publicKeyBase64 } = keyOf(this.keys, checkpoint) ?? this.keys.manifestKey;
    return { checkpoint, publicKey: publicKeyBase64 };
  }

  /** Lines of JSON: `{"event":…}` in the order of the chain, `{"checkpoint":…}` after its row, and last how many rows are `unchained`. */
  async *export(workspaceId: string): AsyncGenerator<string> {
    const within = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => this.database.inWorkspace(workspaceId, work);
    const newest = await within((tx) => this.chain.newestCheckpoint(tx, workspaceId));
    let last = 0;
    for (;;) {
      const { events, checkpoints } = await within((tx) => readPage(this.chain, tx, workspaceId, last));
      for (const event of events) yield `${JSON.stringify({ event })}\n`;
      for (const checkpoint of checkpoints) yield `${JSON.stringify({ checkpoint })}\n`;
      if (events.length === 0) break;
      last = events.at(-1)?.sequence ?? last;
    }
    const beyond = await within((tx) => this.chain.checkpointsBetween(tx, workspaceId, last, newest?.sequence ?? 0));
    for (const checkpoint of beyond) yield `${JSON.stringify({ checkpoint })}\n`; // their rows are gone, and the reader must see that
    const { unchained } = await within((tx) => this.chain.counts(tx, workspaceId));
    yield `${JSON.stringify({ unchained })}\n`;
  }

  private async extra(tx: Tx, workspaceId: string): Promise<AuditBreak | undefined> {
    const row = await this.chain.extraRow(tx, workspaceId);
    return row && { ...row, reason: 'row_unexpected' };
  }

  private async contradiction(tx: Tx, workspaceId: string, kept: ChainHead, head: ChainHead): Promise<AuditBreak | undefined> {
    if (kept.sequence > head.sequence) return { sequence: head.sequence + 1, id: null, reason: 'tail_missing' };
    const [row] = await this.chain.eventsAfter(tx, workspaceId, kept.sequence - 1, 1);
    if (row?.hash === kept.hash) return undefined;
    return { sequence: kept.sequence, id: row?.id ?? null, reason: 'checkpoint_mismatch' };
  }
}

function headOf({ sequence, hash }: AuditVerifyQueryDto): ChainHead | undefined {
  if (sequence !== undefined && hash !== undefined) return { sequence, hash };
  if (sequence === undefined && hash === undefined) return undefined;
  throw new AppError('VALIDATION', 'Give both the sequence and the hash of the checkpoint that you kept, or neither.');
}
