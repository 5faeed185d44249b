import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { DOMAIN_MODULES } from './domain-modules.js';
import { HealthModule } from './platform/health/health.module.js';
import type { PlatformOptions } from './platform/platform.module.js';
import { PlatformModule } from './platform/platform.module.js';
import { GatewaysModule } from './platform/realtime/gateways.module.js';

@Module({})
export class AppModule {
  static forRoot(options: Omit<PlatformOptions, 'service'>): DynamicModule {
    return {
      module: AppModule,
      imports: [PlatformModule.forRoot({ ...options, service: 'api' }), GatewaysModule, HealthModule, ...DOMAIN_MODULES],
    };
  }
}
