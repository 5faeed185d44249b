import type { AuditBreak, AuditCheckpoint } from '@rahatback/contracts';
import { breakOf, EMPTY_CHAIN } from './audit-chain.js';
import type { ChainedEvent, ChainHead } from './audit-chain.js';

/** A stretch of a chain: rows in the order of their places, and the checkpoints up to the last of them. */
export interface ChainPage {
  readonly events: readonly ChainedEvent[];
  readonly checkpoints: readonly AuditCheckpoint[];
}

export interface ChainSource {
  /** The next rows after that place; no rows when there are none. */
  pageAfter(sequence: number): Promise<ChainPage>;
  /** Checkpoints that were there before the first page was read. Where one of them names a row after the last, the tail was cut. */
  readonly known: readonly AuditCheckpoint[];
  isSigned(checkpoint: AuditCheckpoint): boolean;
}

export interface ChainFindings {
  readonly head: ChainHead;
  readonly brokenAt: AuditBreak | null;
  readonly checkpoints: number;
}

/**
 * Walks a chain from `start` and stops at the first thing that is wrong. Reads only, holds one page at a time; may run while rows are added.
 * Whoever can write the table can also compute hashes, so rows after the newest checkpoint are only as good as the table's rights.
 */
export async function verifyChain(source: ChainSource, start: ChainHead = EMPTY_CHAIN): Promise<ChainFindings> {
  let head = start;
  let checked = 0;
  for (;;) {
    const { events, checkpoints } = await source.pageAfter(head.sequence);
    if (events.length === 0) break;
    const due = new Map(checkpoints.map((checkpoint) => [checkpoint.sequence, checkpoint]));
    for (const event of events) {
      const brokenAt = breakOf(head, event) ?? contradiction(source, due.get(event.sequence), event);
      if (brokenAt) return { head, brokenAt, checkpoints: checked };
      if (due.has(event.sequence)) checked += 1;
      head = { sequence: event.sequence, hash: event.hash };
    }
  }
  return { head, brokenAt: tailBreak(source, head), checkpoints: checked };
}

function contradiction(
  source: ChainSource,
  checkpoint: AuditCheckpoint | undefined,
  { sequence, id, hash }: ChainedEvent,
): AuditBreak | undefined {
  if (!checkpoint) return undefined;
  if (!source.isSigned(checkpoint)) return { sequence, id, reason: 'checkpoint_forged' };
  return checkpoint.hash === hash ? undefined : { sequence, id, reason: 'checkpoint_mismatch' };
}

/** The first row that is missing is named, where a checkpoint proves it; one that proves nothing is itself named. */
function tailBreak(source: ChainSource, head: ChainHead): AuditBreak | null {
  const beyond = source.known.filter(({ sequence }) => sequence > head.sequence);
  if (beyond.some((checkpoint) => source.isSigned(checkpoint)))
    return { sequence: head.sequence + 1, id: null, reason: 'tail_missing' };
  const [forged] = beyond;
  return forged ? { sequence: forged.sequence, id: null, reason: 'checkpoint_forged' } : null;
}
