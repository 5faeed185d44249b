import type { SwapState } from '@rahatback/contracts';

/** `giveUp`: the swap that should have followed the restore could not begin. `keepRetired`, `keepAside`: a discard failed after a swap, an undo. */
export const SWAP_EVENTS = [
  'swap',
  'giveUp',
  'swapDone',
  'swapFailed',
  'undo',
  'undoDone',
  'undoFailed',
  'discard',
  'discardDone',
  'keepRetired',
  'keepAside',
] as const;
export type SwapEventName = (typeof SWAP_EVENTS)[number];

/** A finished restore that nobody asked to swap has no state. */
export type SwapFrom = SwapState | 'none';

/** The only ways in which the two databases of a restore change hands. */
export const SWAP_TRANSITIONS: Readonly<Record<SwapFrom, Readonly<Partial<Record<SwapEventName, SwapState>>>>> = {
  none: { swap: 'swapping', giveUp: 'swap_failed' },
  swapping: { swapDone: 'swapped', swapFailed: 'swap_failed' },
  swapped: { undo: 'undoing', discard: 'discarding' },
  swap_failed: { swap: 'swapping' },
  undoing: { undoDone: 'undone', undoFailed: 'undo_failed' },
  undone: { swap: 'swapping', discard: 'discarding' },
  undo_failed: { undo: 'undoing', discard: 'discarding' },
  discarding: { discardDone: 'discarded', keepRetired: 'swapped', keepAside: 'undone' },
  discarded: {},
};

/** An agent is at work, or is about to be: the outcome is known only by its word. */
export const BUSY_SWAP_STATES: readonly SwapState[] = ['swapping', 'undoing', 'discarding'];

export const isSwapBusy = (state: SwapState | null): boolean => state !== null && BUSY_SWAP_STATES.includes(state);

/** @returns null when the event does not happen to this state */
export const swapMove = (from: SwapState | null, event: SwapEventName): SwapState | null =>
  SWAP_TRANSITIONS[from ?? 'none'][event] ?? null;
