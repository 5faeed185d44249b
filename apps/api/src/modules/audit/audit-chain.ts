import { createHash } from 'node:crypto';
import type { AuditBreak, AuditBreakReason, AuditCheckpoint } from '@rahatback/contracts';
import { canonicalJson, signBytes, verifyBytes } from '@rahatback/crypto';
import type { FormerKey, ServerKeys, SigningKey } from '../../platform/keys/server-keys.js';

/** What stands before the first row. */
export const FIRST_HASH = '0'.repeat(64);

const CHECKPOINT_DOMAIN = Buffer.from('rahatback/1 audit-checkpoint\0');

/** All that a row says; `at` in UTC to the microsecond, because that is what the table holds. */
export interface AuditFacts {
  readonly id: string;
  readonly workspaceId: string;
  readonly at: string;
  readonly actorType: string;
  readonly actorId: string | null;
  readonly action: string;
  readonly targetType: string | null;
  readonly targetId: string | null;
  readonly outcome: string;
  readonly ip: string | null;
  readonly correlationId: string | null;
  readonly detail: unknown;
}

export interface ChainedEvent extends AuditFacts {
  readonly sequence: number;
  readonly previousHash: string;
  readonly hash: string;
}

/** The last row of a chain, as far as it has been read. */
export interface ChainHead {
  readonly sequence: number;
  readonly hash: string;
}

export const EMPTY_CHAIN: ChainHead = { sequence: 0, hash: FIRST_HASH };

/** Lower-case hex of SHA-256 over the canonical JSON of the row without `hash`. Throws TypeError for what JSON cannot hold. */
export const hashEvent = (event: Omit<ChainedEvent, 'hash'>): string =>
  createHash('sha256').update(canonicalJson(event)).digest('hex');

/** Gives rows their places after `head`, in their order. */
export function chainEvents(head: ChainHead, events: readonly AuditFacts[]): ChainedEvent[] {
  let { sequence, hash } = head;
  return events.map((facts) => {
    sequence += 1;
    const placed = { ...facts, sequence, previousHash: hash };
    hash = hashEvent(placed);
    return { ...placed, hash };
  });
}

/** What is wrong with `event` as the row after `head`; undefined when nothing is. */
export function breakOf(head: ChainHead, event: ChainedEvent): AuditBreak | undefined {
  const next = head.sequence + 1;
  if (event.sequence > next) return { sequence: next, id: null, reason: 'row_missing' };
  const found = (reason: AuditBreakReason): AuditBreak => ({ sequence: event.sequence, id: event.id, reason });
  if (event.sequence < next) return found('row_unexpected');
  if (!isHashed(event)) return found('row_changed');
  return event.previousHash === head.hash ? undefined : found('link_broken');
}

function isHashed({ hash, ...event }: ChainedEvent): boolean {
  try {
    return hashEvent(event) === hash;
  } catch (error) {
    if (error instanceof TypeError) return false; // e.g. a number that no JSON of ours holds
    throw error;
  }
}

const checkpointBytes = ({ signature: _, ...signed }: AuditCheckpoint): Buffer =>
  Buffer.concat([CHECKPOINT_DOMAIN, canonicalJson(signed)]);

export function signCheckpoint(key: SigningKey, facts: Omit<AuditCheckpoint, 'keyId' | 'signature'>): AuditCheckpoint {
  const unsigned = { ...facts, keyId: key.keyId, signature: '' };
  return { ...unsigned, signature: signBytes(key.privateKey, checkpointBytes(unsigned)) };
}

type CheckpointKeys = Pick<ServerKeys, 'manifestKey' | 'formerManifestKeys'>;

/** The key that a checkpoint names, if it was in use then. A former one counts for no checkpoint of a later time: it may have been stolen since. */
export function keyOf({ manifestKey, formerManifestKeys }: CheckpointKeys, { keyId, at }: AuditCheckpoint) {
  if (keyId === manifestKey.keyId) return manifestKey;
  return formerManifestKeys.find((key: FormerKey) => key.keyId === keyId && Date.parse(at) <= Date.parse(key.retiredAt));
}

/** Whether this server signed it, with its key of that time. */
export function isSigned(keys: CheckpointKeys, checkpoint: AuditCheckpoint): boolean {
  const key = keyOf(keys, checkpoint);
  return key !== undefined && verifyBytes(key.publicKeyBase64, checkpointBytes(checkpoint), checkpoint.signature);
}
