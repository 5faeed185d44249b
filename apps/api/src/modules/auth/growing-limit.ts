import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '@rahatback/contracts';

const STRIKES_KEPT_SECONDS = 86_400;

export interface GrowingLimitOptions {
  readonly storeClient: unknown;
  readonly name: string;
  readonly freeAttempts: number;
  readonly windowSeconds: number;
  readonly longestWaitSeconds: number;
}

/** Attempts are free up to a number in a window; who goes on waits for a window, then twice as long, and so on up to the longest wait. */
export class GrowingLimit {
  private readonly attempts: RateLimiterRedis;
  private readonly strikes: RateLimiterRedis;

  constructor(private readonly options: GrowingLimitOptions) {
    const limiter = (kind: string, points: number, duration: number): RateLimiterRedis =>
      new RateLimiterRedis({
        storeClient: options.storeClient,
        keyPrefix: `rahatback:login-${options.name}${kind}`,
        points,
        duration,
      });
    this.attempts = limiter('', options.freeAttempts, options.windowSeconds);
    this.strikes = limiter('-strikes', 1_000_000, STRIKES_KEPT_SECONDS);
  }

  /**
   * Counts an attempt, before its outcome is known: parallel ones count too.
   * @throws AppError LOGIN_THROTTLED with retryAfterSeconds, UNAVAILABLE when Redis is away (nobody guesses unlimited)
   */
  async attempt(key: string): Promise<void> {
    try {
      await this.attempts.consume(key);
    } catch (rejection) {
      if (!(rejection instanceof RateLimiterRes)) throw unavailable(rejection);
      throw throttled(await this.waitSeconds(key, rejection));
    }
  }

  /** Takes one attempt back: it was no failure. */
  async takeBack(key: string): Promise<void> {
    await counted(() => this.attempts.reward(key));
  }

  async forget(key: string): Promise<void> {
    await counted(() => Promise.all([this.attempts.delete(key), this.strikes.delete(key)]));
  }

  /** The first refusal of a window doubles the wait. Later ones in the same window do not prolong it. */
  private async waitSeconds(key: string, rejection: RateLimiterRes): Promise<number> {
    const { freeAttempts, windowSeconds, longestWaitSeconds } = this.options;
    if (rejection.consumedPoints !== freeAttempts + 1) return rejection.msBeforeNext / 1000;
    const strikes = await counted(() => this.strikes.penalty(key));
    const waitSeconds = Math.min(windowSeconds * 2 ** (strikes.consumedPoints - 1), longestWaitSeconds);
    await counted(() => this.attempts.block(key, waitSeconds));
    return waitSeconds;
  }
}

/** @throws AppError LOGIN_THROTTLED, UNAVAILABLE */
export async function counted<T>(count: () => Promise<T>): Promise<T> {
  try {
    return await count();
  } catch (rejection) {
    throw rejection instanceof RateLimiterRes ? throttled(rejection.msBeforeNext / 1000) : unavailable(rejection);
  }
}

export const unavailable = (cause: unknown): AppError =>
  new AppError(
    'UNAVAILABLE',
    'Log-in is not possible right now. Try again in a few seconds.',
    { retryAfterSeconds: 5 },
    { cause },
  );

export function throttled(waitSeconds: number): AppError {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitSeconds));
  return new AppError(
    'LOGIN_THROTTLED',
    `Too many attempts. Try again in ${retryAfterSeconds} seconds, or log in from a device or network that you have used before.`,
    { retryAfterSeconds },
  );
}
