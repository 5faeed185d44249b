import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { DOMAIN_MODULES } from './domain-modules.js';
import type { PlatformOptions } from './platform/platform.module.js';
import { PlatformModule } from './platform/platform.module.js';

@Module({})
export class WorkerModule {
  static forRoot(options: Omit<PlatformOptions, 'service'>): DynamicModule {
    return { module: WorkerModule, imports: [PlatformModule.forRoot({ ...options, service: 'worker' }), ...DOMAIN_MODULES] };
  }
}
