import { OneAtATime, StoragePatience } from './one-at-a-time.js';

describe('OneAtATime', () => {
  it('joins calls that come while it runs into one more round', async () => {
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    let rounds = 0;
    const sweep = new OneAtATime(async () => {
      rounds += 1;
      if (rounds === 1) await gate;
    });
    const calls = [sweep.run(), sweep.run(), sweep.run()];
    open();
    await Promise.all(calls);
    expect(rounds).toBe(2);
    await sweep.run();
    expect(rounds).toBe(3);
  });

  it('runs again after a failure', async () => {
    let rounds = 0;
    const sweep = new OneAtATime(() => {
      rounds += 1;
      return rounds === 1 ? Promise.reject(new Error('storage away')) : Promise.resolve();
    });
    await expect(sweep.run()).rejects.toThrow('storage away');
    await sweep.run();
    expect(rounds).toBe(2);
  });
});

describe('StoragePatience', () => {
  it('rests twice as long after each failure, up to its limit, and forgets once the storage works', () => {
    const patience = new StoragePatience(1000, 3000);
    patience.failed('s', 0);
    expect(patience.isResting('s', 999)).toBe(true);
    expect(patience.isResting('s', 1000)).toBe(false);
    patience.failed('s', 0);
    expect(patience.isResting('s', 1999)).toBe(true);
    patience.failed('s', 0);
    expect(patience.isResting('s', 2999)).toBe(true);
    expect(patience.isResting('s', 3000)).toBe(false);
    expect(patience.isResting('other', 0)).toBe(false);
    patience.worked('s');
    expect(patience.isResting('s', 0)).toBe(false);
  });
});
