import { Injectable } from '@nestjs/common';
import type { ThrottlerStorage } from '@nestjs/throttler';
import { ThrottlerStorageService } from '@nestjs/throttler';
import { RedisClients } from '../queues/redis-clients.js';

type ThrottlerRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/**
 * One round trip: a fixed window that counts, and a block that begins when the limit is passed and is not prolonged by more hits.
 * KEYS: counter, block. ARGV: window ms, limit, block ms. Answers hits, ms to the end of the window, ms to the end of the block.
 */
const SCRIPT = `
local block = redis.call('PTTL', KEYS[2])
if block > 0 then
  return { tonumber(redis.call('GET', KEYS[1]) or ARGV[2]), math.max(redis.call('PTTL', KEYS[1]), 0), block }
end
local hits = redis.call('INCR', KEYS[1])
local window = redis.call('PTTL', KEYS[1])
if window < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  window = tonumber(ARGV[1])
end
if hits > tonumber(ARGV[2]) then
  redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
  return { hits, window, tonumber(ARGV[3]) }
end
return { hits, window, 0 }`;

/** Counts for all API processes together. While Redis is away each process counts for itself, so that requests go on. */
@Injectable()
export class RedisThrottlerStorage implements ThrottlerStorage {
  private readonly local = new ThrottlerStorageService();

  constructor(private readonly redis: RedisClients) {}

  async increment(...call: Parameters<ThrottlerStorage['increment']>): Promise<ThrottlerRecord> {
    const [key, ttl, limit, blockDuration, throttlerName] = call;
    if (this.redis.isReady()) {
      try {
        const name = `rahatback:throttle:{${throttlerName}:${key}}`;
        const answer = await this.redis.general.eval(SCRIPT, 2, name, `${name}:block`, ttl, limit, blockDuration);
        const [hits = 0, windowMs = 0, blockMs = 0] = answer as number[];
        return {
          totalHits: hits,
          timeToExpire: Math.ceil(windowMs / 1000),
          isBlocked: blockMs > 0,
          timeToBlockExpire: Math.ceil(blockMs / 1000),
        };
      } catch {
        // Redis went away just now: count here
      }
    }
    return this.local.increment(...call);
  }

  onApplicationShutdown(): void {
    this.local.onApplicationShutdown();
  }
}
