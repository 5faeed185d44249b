import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { Injectable, Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { AppConfig } from '../config/app-config.js';
import { redisOptions } from './redis-options.js';

/**
 * The process's own connections: `general` fails at once while Redis is away (limits, counters, nudges), `duplicate` waits and resumes
 * (subscribers). BullMQ keeps its own.
 */
@Injectable()
export class RedisClients implements OnModuleInit, OnApplicationShutdown {
  readonly general: Redis;
  private readonly duplicates: Redis[] = [];
  private readonly log = new Logger(RedisClients.name);
  private readonly url: string;

  constructor(config: AppConfig) {
    this.url = config.redisUrl;
    this.general = this.watch(
      new Redis({
        ...redisOptions(this.url),
        lazyConnect: true,
        enableOfflineQueue: false,
        maxRetriesPerRequest: 0,
        commandTimeout: 2000,
        connectionName: 'rahatback-general',
      }),
    );
  }

  async onModuleInit(): Promise<void> {
    await this.general
      .connect()
      .catch((error: unknown) => this.log.warn({ err: error }, 'Redis is not there yet; the process goes on without.'));
  }

  /** A connection of its own that waits while Redis is away; closed with the process. */
  duplicate(name: string): Redis {
    const client = this.watch(
      new Redis({ ...redisOptions(this.url), maxRetriesPerRequest: null, connectionName: `rahatback-${name}` }),
    );
    this.duplicates.push(client);
    return client;
  }

  isReady(): boolean {
    return this.general.status === 'ready';
  }

  /** Runs `action` each time Redis comes back. */
  onReady(action: () => void): void {
    this.general.on('ready', action);
  }

  onApplicationShutdown(): void {
    for (const client of [this.general, ...this.duplicates]) client.disconnect();
  }

  private watch(client: Redis): Redis {
    client.on('error', (error) => this.log.warn({ err: error }, 'Redis is away; it is tried again.'));
    return client;
  }
}
