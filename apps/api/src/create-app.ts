import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Logger } from 'nestjs-pino';
import { AppModule } from './app.module.js';
import { configureCrashPoints } from '@rahatback/backup-core/crash-point';
import { measureRequests } from './platform/health/metrics.middleware.js';
import { Metrics } from './platform/health/metrics.service.js';
import { configureHttp } from './platform/http/configure-http.js';
import { setUpDocs } from './platform/openapi/docs.js';
import type { PlatformOptions } from './platform/platform.module.js';
import { WorkerRunner } from './platform/queues/worker-runner.js';
import { RedisIoAdapter } from './platform/realtime/redis-io.adapter.js';
import { WorkerModule } from './worker.module.js';

type Options = Omit<PlatformOptions, 'service'>;

/** The API, ready to `listen`. Tests start it the same way as main.ts does. */
export async function createApi(options: Options): Promise<NestExpressApplication> {
  configureCrashPoints(options.config.faultSpec);
  const app = await NestFactory.create<NestExpressApplication>(AppModule.forRoot(options), {
    bodyParser: false,
    bufferLogs: true,
    abortOnError: false,
  });
  app.useLogger(app.get(Logger));
  app.use(measureRequests(app.get(Metrics)));
  configureHttp(app, options.config);
  app.useWebSocketAdapter(new RedisIoAdapter(app));
  setUpDocs(app);
  return app;
}

/** The worker, its processors running. */
export async function createWorker(options: Options): Promise<INestApplicationContext> {
  configureCrashPoints(options.config.faultSpec);
  const app = await NestFactory.createApplicationContext(WorkerModule.forRoot(options), {
    bufferLogs: true,
    abortOnError: false,
  });
  app.useLogger(app.get(Logger));
  await app.get(WorkerRunner).start();
  return app;
}
