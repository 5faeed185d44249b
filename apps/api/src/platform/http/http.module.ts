import { Global, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ThrottlerModule } from '@nestjs/throttler';
import { AppConfig } from '../config/app-config.js';
import { RedisClients } from '../queues/redis-clients.js';
import { AccessTokens } from './access-tokens.js';
import { JwtAuthGuard } from './jwt-auth.guard.js';
import { RateLimitGuard } from './rate-limit.guard.js';
import { RedisThrottlerStorage } from './redis-throttler-storage.js';
import { RolesGuard } from './roles.guard.js';
import { StepUpGuard } from './step-up.guard.js';
import { TokenScopeGuard } from './token-scope.guard.js';

/**
 * Guards in their order: address limit, log-in, role, age of the log-in, scope of an API token. `ActorDirectory` and `ApiTokenDirectory` come
 * from modules.
 */
@Global()
@Module({
  imports: [
    ThrottlerModule.forRootAsync({
      inject: [AppConfig, RedisClients],
      useFactory: (config: AppConfig, redis: RedisClients) => ({
        throttlers: [{ name: 'default', ttl: 60_000, limit: config.requestsPerMinute }],
        storage: new RedisThrottlerStorage(redis),
      }),
    }),
  ],
  providers: [
    AccessTokens,
    { provide: APP_GUARD, useClass: RateLimitGuard },
    { provide: APP_GUARD, useClass: JwtAuthGuard },
    { provide: APP_GUARD, useClass: RolesGuard },
    { provide: APP_GUARD, useClass: StepUpGuard },
    { provide: APP_GUARD, useClass: TokenScopeGuard },
  ],
  exports: [AccessTokens],
})
export class HttpModule {}
