import { ANY_GENERATION, nextGenerations, type Generations } from './session-generation.js';

const FRESH: Generations = { confirmed: 0, pending: 0 };

const opened = (held: number, known: Generations): Generations => {
  const next = nextGenerations(held, known);
  if (!next) throw new Error(`${held} was refused by ${JSON.stringify(known)}`);
  return next;
};

describe('session generations', () => {
  it('lets an agent that keeps what it is given come again and again', () => {
    let known = FRESH;
    let held = 0;
    for (let session = 0; session < 5; session += 1) {
      known = opened(held, known);
      expect(known.pending).toBeGreaterThan(held);
      held = known.pending;
    }
  });

  it('never locks out an agent that dies before it kept the new number, however often', () => {
    let known = opened(0, FRESH);
    const held = known.pending;
    for (let crash = 0; crash < 5; crash += 1) known = opened(held, known);
    expect(opened(held, known).confirmed).toBe(held);
  });

  it('never hands out a number twice', () => {
    const first = opened(0, FRESH);
    const again = opened(0, first);
    expect(again.pending).toBeGreaterThan(first.pending);
  });

  it('refuses the copy that fell behind, whichever of the two it is', () => {
    // Both copies hold the same number; the second to come takes the crash path, and then the first is behind.
    const known = opened(0, FRESH);
    const first = opened(known.pending, known);
    const second = opened(known.pending, first);
    expect(nextGenerations(first.pending, second)).toBeUndefined();
    expect(nextGenerations(0, second)).toBeUndefined();
  });

  it('refuses a number that was never handed out', () => {
    expect(nextGenerations(99, opened(0, FRESH))).toBeUndefined();
  });

  it('after a re-acceptance believes the first to come and refuses the other', () => {
    const known: Generations = { confirmed: ANY_GENERATION, pending: 7 };
    const accepted = opened(3, known);
    expect(accepted).toEqual({ confirmed: 3, pending: 8 });
    expect(nextGenerations(7, accepted)).toBeUndefined();
  });
});
