import { Body, Controller, Delete, Get, HttpCode, Post } from '@nestjs/common';
import { CreateApiTokenDto } from '@rahatback/contracts';
import type { ApiTokenView, CreatedApiToken } from '@rahatback/contracts';
import type { Actor } from '../../platform/http/actor.js';
import { CurrentActor, Everybody, IdParam, PeopleOnly } from '../../platform/http/decorators.js';
import { FreshLogin } from '../../platform/http/step-up.guard.js';
import { ApiTokensService } from './api-tokens.service.js';

/** For people only: a token that makes tokens would never end. */
@PeopleOnly()
@Everybody()
@Controller('v1/api-tokens')
export class ApiTokensController {
  constructor(private readonly tokens: ApiTokensService) {}

  @FreshLogin()
  @Post()
  create(@CurrentActor() actor: Actor, @Body() body: CreateApiTokenDto): Promise<CreatedApiToken> {
    return this.tokens.create(actor, body);
  }

  @Get()
  list(@CurrentActor() actor: Actor): Promise<ApiTokenView[]> {
    return this.tokens.list(actor);
  }

  @Delete(':id')
  @HttpCode(204)
  revoke(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<void> {
    return this.tokens.revoke(actor, id);
  }
}
