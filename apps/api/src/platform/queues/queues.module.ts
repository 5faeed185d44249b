import { BullModule } from '@nestjs/bullmq';
import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { AppConfig } from '../config/app-config.js';
import { RedisClients } from './redis-clients.js';
import { JobQueue } from './job-queue.js';
import { QUEUES } from './queues.js';
import { redisOptions } from './redis-options.js';
import { RedisPolicyWatch } from './redis-policy-watch.js';
import { StallWatch } from './stall-watch.js';
import { WorkerRunner } from './worker-runner.js';

/** Processors start only where `WorkerRunner.start()` is called: in the worker. The API has the same graph and only adds jobs. */
@Global()
@Module({
  imports: [
    DiscoveryModule,
    BullModule.forRootAsync({
      inject: [AppConfig],
      useFactory: (config: AppConfig) => ({
        connection: { ...redisOptions(config.redisUrl), maxRetriesPerRequest: null },
        prefix: 'rahatback',
      }),
      extraOptions: { manualRegistration: true },
    }),
    ...Object.values(QUEUES).map((name) => BullModule.registerQueue({ name })),
  ],
  providers: [RedisClients, JobQueue, WorkerRunner, RedisPolicyWatch, StallWatch],
  exports: [RedisClients, JobQueue, WorkerRunner, BullModule],
})
export class QueuesModule {}
