import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { AppConfig } from '../../platform/config/app-config.js';
import { RedisClients } from '../../platform/queues/redis-clients.js';

const FREE_ATTEMPTS = 5;
const WINDOW_SECONDS = 60;
const LONGEST_WAIT_SECONDS = 900;
const ATTEMPTS_PER_ADDRESS = 300;
const ADDRESS_WINDOW_SECONDS = 900;
const FAILURES_PER_ACCOUNT = 100;
const ACCOUNT_WINDOW_SECONDS = 3600;

const digest = (text: string): string => createHash('sha256').update(text).digest('base64url');

/**
 * Slows guessing down without letting anybody lock a person out: what counts is the pair of account and address, then the address; failures
 * of the account as a whole only bind addresses that the person has never logged in from.
 */
@Injectable()
export class LoginLimiter {
  private readonly pair: RateLimiterRedis;
  private readonly strikes: RateLimiterRedis;
  private readonly address: RateLimiterRedis;
  private readonly account: RateLimiterRedis;
  private readonly registrations: RateLimiterRedis;

  constructor(redis: RedisClients, config: AppConfig) {
    const limiter = (keyPrefix: string, points: number, duration: number): RateLimiterRedis =>
      new RateLimiterRedis({ storeClient: redis.general, keyPrefix: `rahatback:login-${keyPrefix}`, points, duration });
    this.pair = limiter('pair', FREE_ATTEMPTS, WINDOW_SECONDS);
    this.strikes = limiter('strikes', 1_000_000, 86_400);
    this.address = limiter('address', ATTEMPTS_PER_ADDRESS, ADDRESS_WINDOW_SECONDS);
    this.account = limiter('account', FAILURES_PER_ACCOUNT, ACCOUNT_WINDOW_SECONDS);
    this.registrations = limiter('registrations', config.registrationsPerHour, 3600);
  }

  /** @throws AppError RATE_LIMITED, UNAVAILABLE */
  async registration(ip: string): Promise<void> {
    try {
      await this.registrations.consume(digest(ip));
    } catch (rejection) {
      if (!(rejection instanceof RateLimiterRes)) throw unavailable(rejection);
      const retryAfterSeconds = Math.max(1, Math.ceil(rejection.msBeforeNext / 1000));
      const message = `Too many sign-ups from this address. Try again in ${Math.ceil(retryAfterSeconds / 60)} minutes.`;
      throw new AppError('RATE_LIMITED', message, { retryAfterSeconds });
    }
  }

  /**
   * Counts an attempt before the password is looked at, so that parallel guesses count too.
   * @throws AppError LOGIN_THROTTLED with retryAfterSeconds, UNAVAILABLE when Redis is away (nobody guesses unlimited)
   */
  async attempt(email: string, ip: string): Promise<void> {
    const pair = digest(`${email}\0${ip}`);
    await this.counted(() => this.address.consume(digest(ip)));
    try {
      await this.pair.consume(pair);
    } catch (rejection) {
      if (!(rejection instanceof RateLimiterRes)) throw unavailable(rejection);
      throw throttled(await this.waitSeconds(pair, rejection));
    }
  }

  /** An account under attack from many addresses answers only to addresses that it knows. @throws as `attempt` */
  async strangerAttempt(email: string): Promise<void> {
    const state = await this.counted(() => this.account.get(digest(email)));
    if (state && state.remainingPoints <= 0) throw throttled(state.msBeforeNext / 1000);
  }

  async failed(email: string): Promise<void> {
    await this.counted(() => this.account.penalty(digest(email)));
  }

  async succeeded(email: string, ip: string): Promise<void> {
    const pair = digest(`${email}\0${ip}`);
    await this.counted(() => Promise.all([this.pair.delete(pair), this.strikes.delete(pair)]));
  }

  /** The first refusal of a window doubles the wait: 60 s, 120 s … 15 min. Later ones in the same window do not prolong it. */
  private async waitSeconds(pair: string, rejection: RateLimiterRes): Promise<number> {
    if (rejection.consumedPoints !== FREE_ATTEMPTS + 1) return rejection.msBeforeNext / 1000;
    const strikes = await this.counted(() => this.strikes.penalty(pair));
    const waitSeconds = Math.min(WINDOW_SECONDS * 2 ** (strikes.consumedPoints - 1), LONGEST_WAIT_SECONDS);
    await this.counted(() => this.pair.block(pair, waitSeconds));
    return waitSeconds;
  }

  private async counted<T>(count: () => Promise<T>): Promise<T> {
    try {
      return await count();
    } catch (rejection) {
      throw rejection instanceof RateLimiterRes ? throttled(rejection.msBeforeNext / 1000) : unavailable(rejection);
    }
  }
}

const unavailable = (cause: unknown): AppError =>
  new AppError(
    'UNAVAILABLE',
    'Log-in is not possible right now. Try again in a few seconds.',
    { retryAfterSeconds: 5 },
    { cause },
  );

function throttled(waitSeconds: number): AppError {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitSeconds));
  return new AppError('LOGIN_THROTTLED', `Too many attempts. Try again in ${retryAfterSeconds} seconds.`, { retryAfterSeconds });
}
