import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { AppConfig } from '../../platform/config/app-config.js';
import { RedisClients } from '../../platform/queues/redis-clients.js';
import { counted, GrowingLimit, throttled, unavailable } from './growing-limit.js';
import { networkOf } from './network.js';

const PAIR = { freeAttempts: 5, windowSeconds: 60, longestWaitSeconds: 900 };
const NETWORK = { freeAttempts: 300, windowSeconds: 900, longestWaitSeconds: 3600 };
const ACCOUNT_WINDOW_SECONDS = 3600;
const GUESSES_OF_STRANGERS = { password: 100, code: 20 } as const;

const digest = (...parts: string[]): string => createHash('sha256').update(parts.join('\0')).digest('base64url');

/** Who knocks, and for which account (an address in lower case, whether there is such an account or not). */
export interface Knock {
  readonly account: string;
  readonly ip: string;
  /** A device that has logged in to this account before, or a session of it: known by something that nobody else has. */
  readonly device?: string | undefined;
}

export type Secret = keyof typeof GUESSES_OF_STRANGERS;

/**
 * Slows guessing down without letting anybody lock a person out. What counts is the pair of account and network, and the network; a known
 * device counts for itself alone, so that no neighbour's guesses bind it. Guesses of strangers for one account are limited as a whole: that
 * binds only strangers, devices and networks that the person has never logged in from.
 */
@Injectable()
export class LoginLimiter {
  private readonly pair: GrowingLimit;
  private readonly device: GrowingLimit;
  private readonly network: GrowingLimit;
  private readonly strangers: Readonly<Record<Secret, RateLimiterRedis>>;
  private readonly registrations: RateLimiterRedis;

  constructor(redis: RedisClients, config: AppConfig) {
    const storeClient = redis.general;
    const limiter = (keyPrefix: string, points: number, duration: number): RateLimiterRedis =>
      new RateLimiterRedis({ storeClient, keyPrefix: `rahatback:login-${keyPrefix}`, points, duration });
    this.pair = new GrowingLimit({ storeClient, name: 'pair', ...PAIR });
    this.device = new GrowingLimit({ storeClient, name: 'device', ...PAIR });
    this.network = new GrowingLimit({ storeClient, name: 'network', ...NETWORK });
    this.strangers = {
      password: limiter('account', GUESSES_OF_STRANGERS.password, ACCOUNT_WINDOW_SECONDS),
      code: limiter('account-code', GUESSES_OF_STRANGERS.code, ACCOUNT_WINDOW_SECONDS),
    };
    this.registrations = limiter('registrations', config.registrationsPerHour, 3600);
  }

  /** @throws AppError RATE_LIMITED, UNAVAILABLE */
  async registration(ip: string): Promise<void> {
    try {
      await this.registrations.consume(digest(networkOf(ip)));
    } catch (rejection) {
      if (!(rejection instanceof RateLimiterRes)) throw unavailable(rejection);
      const retryAfterSeconds = Math.max(1, Math.ceil(rejection.msBeforeNext / 1000));
      const message = `Too many sign-ups from this network. Try again in ${Math.ceil(retryAfterSeconds / 60)} minutes.`;
      throw new AppError('RATE_LIMITED', message, { retryAfterSeconds });
    }
  }

  /**
   * Counts an attempt before the password or the code is looked at, so that parallel guesses count too.
   * @throws AppError LOGIN_THROTTLED with retryAfterSeconds, UNAVAILABLE when Redis is away (nobody guesses unlimited)
   */
  async attempt({ account, ip, device }: Knock): Promise<void> {
    if (device !== undefined) return this.device.attempt(digest(account, device));
    await this.network.attempt(digest(networkOf(ip)));
    await this.pair.attempt(digest(account, networkOf(ip)));
  }

  /** A guess of somebody whom the account does not know, neither by device nor by network. @throws as `attempt` */
  async strangerAttempt(account: string, secret: Secret): Promise<void> {
    try {
      await this.strangers[secret].consume(digest(account));
    } catch (rejection) {
      if (!(rejection instanceof RateLimiterRes)) throw unavailable(rejection);
      throw throttled(rejection.msBeforeNext / 1000);
    }
  }

  /** The guess was right: it counts for nobody. What counts for the pair or the device stays until `loggedIn`. */
  async right({ account, ip, device }: Knock, secret: Secret, isStranger: boolean): Promise<void> {
    if (device === undefined) await this.network.takeBack(digest(networkOf(ip)));
    if (isStranger) await counted(() => this.strangers[secret].reward(digest(account)));
  }

  /** All steps are done. */
  async loggedIn({ account, ip, device }: Knock): Promise<void> {
    await this.pair.forget(digest(account, networkOf(ip)));
    if (device !== undefined) await this.device.forget(digest(account, device));
  }
}
