import { openLoop } from './open-loop.js';
import { percentile } from './statistics.js';

describe('requests in open loop', () => {
  it('sends on while nothing is answered, and counts the wait from when each was due', async () => {
    const open: (() => void)[] = [];
    let asked = 0;
    const results = await openLoop({
      perSecond: 100,
      seconds: 0.2,
      next: () => (asked += 1),
      // The first twenty hang until the last of them has come.
      send: () =>
        new Promise((resolve) => {
          open.push(() => resolve(true));
          if (open.length === 20) for (const answer of open) answer();
        }),
    });
    expect(results.map(({ shot }) => shot)).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
    // Due 190 ms before the last: a client that waits for answers would have measured next to nothing for nineteen of them.
    expect(results[0]?.latencyMs).toBeGreaterThanOrEqual(185);
    expect(results.map(({ ok }) => ok)).not.toContain(false);
  });

  it('counts what fails', async () => {
    const send = (shot: number): Promise<boolean> => (shot === 1 ? Promise.resolve(false) : Promise.reject(new Error('reset')));
    let shot = 0;
    const results = await openLoop({ perSecond: 1000, seconds: 0.002, next: () => (shot += 1), send });
    expect(results.map(({ ok }) => ok)).toEqual([false, false]);
  });
});

describe('percentile', () => {
  it('is the nearest rank', () => {
    const values = Array.from({ length: 200 }, (_, at) => 200 - at);
    expect([percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1), percentile([7], 0.99)]).toEqual([
      100, 198, 200, 7,
    ]);
    expect(() => percentile([], 0.5)).toThrow('no percentile');
  });
});
