import { canonicalJson } from './canonical-json.js';
import type { ChainContext } from './commitment.js';

export const KEYS_FORMAT = 'rahatback-keys/1';

/** The backup a keys file belongs to. */
export interface KeysContext extends ChainContext {
  readonly backupId: string;
}

/**
 * What every slot is bound to. The generation is left out on purpose: a rotation that lacks a slot's secret (a person who adds an
 * agent with the recovery identity does not know the passphrase) carries that slot over as it is.
 */
export const slotAssociatedData = ({ workspace, database, backupId, chainId }: KeysContext): Buffer =>
  canonicalJson({ format: KEYS_FORMAT, workspace, database, backupId, chainId });
