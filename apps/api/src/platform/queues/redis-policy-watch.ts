import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { Injectable, Logger } from '@nestjs/common';
import { RedisClients } from './redis-clients.js';

const LOOK_EVERY_MS = 30_000;

/** The policy by which Redis makes room, from its answer to INFO memory; undefined when it does not say. */
export const evictionPolicyOf = (infoMemory: string): string | undefined => /^maxmemory_policy:(\S+)/m.exec(infoMemory)?.[1];

/** A Redis that drops keys was refused at start. One that was changed, or replaced, while we run is an alarm in the log, again and again until it is mended. */
@Injectable()
export class RedisPolicyWatch implements OnModuleInit, OnApplicationShutdown {
  private readonly log = new Logger(RedisPolicyWatch.name);
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly redis: RedisClients) {}

  onModuleInit(): void {
    const look = (): void => {
      // A Redis that is away is said elsewhere.
      this.look().catch(() => undefined);
    };
    this.redis.onReady(look);
    this.timer = setInterval(look, LOOK_EVERY_MS);
    this.timer.unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    if (!this.redis.isReady()) return;
    const policy = evictionPolicyOf(await this.redis.general.info('memory'));
    if (policy === 'noeviction') return;
    this.log.error(
      { event: 'redis.policy', policy },
      'Redis may drop queued work. Run: redis-cli CONFIG SET maxmemory-policy noeviction, and set it in redis.conf.',
    );
  }
}
