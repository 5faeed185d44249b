import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import type { DestinationStream } from 'pino';
import type { AppConfig } from './config/app-config.js';
import { ConfigModule } from './config/config.module.js';
import { DatabaseModule } from './database/database.module.js';
import { MetricsModule } from './health/metrics.module.js';
import { HttpModule } from './http/http.module.js';
import { KeysModule } from './keys/keys.module.js';
import { loggingModule } from './logging/logging.module.js';
import { OutboundModule } from './outbound/outbound.module.js';
import { QueuesModule } from './queues/queues.module.js';
import { RealtimeModule } from './realtime/realtime.module.js';

export interface PlatformOptions {
  readonly config: AppConfig;
  readonly service: 'api' | 'worker';
  /** Where log lines go; left out: standard output. */
  readonly logDestination?: DestinationStream;
}

@Module({})
export class PlatformModule {
  static forRoot(options: PlatformOptions): DynamicModule {
    return {
      module: PlatformModule,
      imports: [
        ConfigModule.forRoot(options.config),
        loggingModule(options.service, options.logDestination),
        KeysModule,
        DatabaseModule,
        OutboundModule,
        QueuesModule,
        RealtimeModule,
        MetricsModule,
        HttpModule,
      ],
    };
  }
}
