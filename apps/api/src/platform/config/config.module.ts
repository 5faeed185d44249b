import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { AppConfig } from './app-config.js';

@Module({})
export class ConfigModule {
  /** The settings are loaded before the module graph exists, so that a bad one ends the process with a sentence and not with a stack. */
  static forRoot(config: AppConfig): DynamicModule {
    return { module: ConfigModule, global: true, providers: [{ provide: AppConfig, useValue: config }], exports: [AppConfig] };
  }
}
