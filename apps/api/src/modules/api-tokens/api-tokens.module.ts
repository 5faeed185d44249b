import { Global, Module } from '@nestjs/common';
import { ApiTokenDirectory } from '../../platform/http/actor.js';
import { ApiTokenAdmission } from './api-token-admission.service.js';
import { ApiTokensController } from './api-tokens.controller.js';
import { ApiTokensRepository } from './api-tokens.repository.js';
import { ApiTokensService } from './api-tokens.service.js';

/** Global, because every guarded request and socket asks `ApiTokenDirectory`. */
@Global()
@Module({
  controllers: [ApiTokensController],
  providers: [
    ApiTokensRepository,
    ApiTokensService,
    ApiTokenAdmission,
    { provide: ApiTokenDirectory, useExisting: ApiTokenAdmission },
  ],
  exports: [ApiTokenDirectory],
})
export class ApiTokensModule {}
