import { AppError } from '@rahatback/contracts';
import type { BackupToOpen } from '../restore/open-backup.js';
import { loadChain, type LoadChainOptions, type LoadedChain } from './load-chain.js';

/** The base to build on, or null: make a full. `trouble` says why there is none; null when none was asked for. */
export type UsableBase =
  { readonly base: LoadedChain; readonly trouble: null } | { readonly base: null; readonly trouble: AppError | null };

/** Falling back to a full must not hide that the storage or the server was away, or that the run was stopped. */
export const isChainTrouble = (error: AppError): boolean =>
  error.kind === 'user' && !['CANCELLED', 'TIME_LIMIT', 'NO_SPACE'].includes(error.code);

/**
 * Loads the chain for the next backup, or decides that it cannot be built on: then the next backup is a full, in a chain of its own.
 * @throws AppError what a later try may not meet again: the storage or the server was away, the run was stopped
 */
export async function usableBase(links: readonly BackupToOpen[], options?: LoadChainOptions): Promise<UsableBase> {
  if (links.length === 0) return { base: null, trouble: null };
  try {
    return { base: await loadChain(links, options), trouble: null };
  } catch (error) {
    if (error instanceof AppError && isChainTrouble(error)) return { base: null, trouble: error };
    throw error;
  }
}
