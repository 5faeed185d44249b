import type { Tx } from '../../platform/database/database.js';
import type { AuditChainRepository } from './audit-chain.repository.js';
import type { ChainPage, ChainSource } from './verify-chain.js';

/** Rows that are held in memory at once. */
const PAGE = 1000;

export async function readPage(chain: AuditChainRepository, tx: Tx, workspaceId: string, sequence: number): Promise<ChainPage> {
  const events = await chain.eventsAfter(tx, workspaceId, sequence, PAGE);
  const last = events.at(-1);
  return { events, checkpoints: last ? await chain.checkpointsBetween(tx, workspaceId, sequence, last.sequence) : [] };
}

/** For a caller that holds a transaction anyway. */
export const chainInTransaction = (chain: AuditChainRepository, tx: Tx, workspaceId: string): Pick<ChainSource, 'pageAfter'> => ({
  pageAfter: (sequence) => readPage(chain, tx, workspaceId, sequence),
});
