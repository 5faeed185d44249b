import { inOrder } from './in-order.js';

const NUMBERS = Array.from({ length: 20 }, (_, number) => number);

/** Resolves in the other order than it was called. */
const later = (number: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20 - number));

describe('inOrder', () => {
  it('answers in the order of the items, eight at once', async () => {
    let running = 0;
    let most = 0;
    const results = await inOrder(NUMBERS, async (number) => {
      running += 1;
      most = Math.max(most, running);
      await later(number);
      running -= 1;
      return number * 2;
    });
    expect(results).toEqual(NUMBERS.map((number) => number * 2));
    expect(most).toBe(8);
  });

  it('tells the first failure by order and leaves nothing running', async () => {
    const ended: number[] = [];
    const failing = inOrder(NUMBERS, async (number) => {
      await later(number);
      ended.push(number);
      if (number === 2 || number === 6) throw new Error(`item ${number}`);
    });
    await expect(failing).rejects.toThrow('item 2');
    expect(ended.sort((left, right) => left - right)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});
