import { TokenBucket } from './token-bucket.js';

describe('a token bucket', () => {
  it('gives its burst at once, then what it is filled by each second, and says how long to wait', () => {
    let now = 0;
    const bucket = new TokenBucket(10, 20, () => now);
    for (let taken = 0; taken < 20; taken += 1) expect(bucket.take(1)).toBe(0);
    expect(bucket.take(1)).toBe(100);
    now += 100;
    expect(bucket.take(0)).toBe(0);
    expect(bucket.take(1)).toBe(100);
    now += 60_000; // never fuller than its burst
    expect(bucket.take(20)).toBe(0);
    expect(bucket.take(1)).toBe(100);
  });

  it('is overdrawn by one large cost, and empty for as long as that takes', () => {
    let now = 0;
    const bucket = new TokenBucket(4_000_000, 16_000_000, () => now);
    expect(bucket.take(18_000_000)).toBe(500);
    now += 499;
    expect(bucket.take(0)).toBe(1);
    now += 1;
    expect(bucket.take(0)).toBe(0);
  });
});
