/** So much at once, and so much more each second. Costs may overdraw it once; then it is empty for longer. */
export class TokenBucket {
  private level: number;
  private filledAt: number;

  constructor(
    private readonly perSecond: number,
    private readonly burst: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.level = burst;
    this.filledAt = now();
  }

  /** Takes `cost`. Answers in how many milliseconds the bucket is no longer empty: 0 while it is not. */
  take(cost: number): number {
    const now = this.now();
    this.level = Math.min(this.burst, this.level + ((now - this.filledAt) / 1000) * this.perSecond) - cost;
    this.filledAt = now;
    return this.level >= 0 ? 0 : Math.ceil((-this.level / this.perSecond) * 1000);
  }
}
