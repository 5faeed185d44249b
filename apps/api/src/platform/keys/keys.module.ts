import { Global, Module } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { loadKeys } from './load-keys.js';
import { ServerKeys } from './server-keys.js';

@Global()
@Module({
  providers: [{ provide: ServerKeys, inject: [AppConfig], useFactory: (config: AppConfig) => loadKeys(config.keysDir) }],
  exports: [ServerKeys],
})
export class KeysModule {}
