import { Global, Module } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { OutboundGuard } from './outbound-guard.js';

@Global()
@Module({
  providers: [{ provide: OutboundGuard, inject: [AppConfig], useFactory: (config: AppConfig) => new OutboundGuard(config) }],
  exports: [OutboundGuard],
})
export class OutboundModule {}
