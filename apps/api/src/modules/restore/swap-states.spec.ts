import { SWAP_STATES } from '@rahatback/contracts';
import { BUSY_SWAP_STATES, isSwapBusy, SWAP_EVENTS, SWAP_TRANSITIONS, swapMove, type SwapFrom } from './swap-states.js';

const STATES: readonly SwapFrom[] = ['none', ...SWAP_STATES];

describe('the lifecycle of a swap', () => {
  it('knows every public state and only those', () => {
    expect(Object.keys(SWAP_TRANSITIONS).sort()).toEqual([...STATES].sort());
  });

  it('reaches every state from nothing', () => {
    const seen = new Set<SwapFrom>(['none']);
    for (const state of seen) for (const next of Object.values(SWAP_TRANSITIONS[state])) seen.add(next);
    expect([...seen].sort()).toEqual([...STATES].sort());
  });

  it('has no state but the last without a way out, and no event that never happens', () => {
    expect(STATES.filter((state) => Object.keys(SWAP_TRANSITIONS[state]).length === 0)).toEqual(['discarded']);
    for (const event of SWAP_EVENTS) expect(STATES.some((state) => SWAP_TRANSITIONS[state][event] !== undefined)).toBe(true);
  });

  it('begins nothing while an agent is at work: one at a time, and no discard during an undo', () => {
    for (const state of BUSY_SWAP_STATES) {
      for (const event of ['swap', 'undo', 'discard'] as const) expect(swapMove(state, event)).toBeNull();
      expect(isSwapBusy(state)).toBe(true);
    }
  });

  it('is settled from a busy state only', () => {
    const settling = ['swapDone', 'swapFailed', 'undoDone', 'undoFailed', 'discardDone', 'keepRetired', 'keepAside'] as const;
    for (const state of STATES) {
      const isBusy = state !== 'none' && isSwapBusy(state);
      for (const event of settling) if (!isBusy) expect(SWAP_TRANSITIONS[state][event]).toBeUndefined();
    }
    expect(swapMove(null, 'swap')).toBe('swapping');
    expect(swapMove('swapped', 'undo')).toBe('undoing');
  });
});
