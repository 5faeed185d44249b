import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import type { Page, RestoreAnswer, RestoreView } from '@rahatback/contracts';
import { PageQueryDto, RestoreDto } from '@rahatback/contracts';
import type { Actor } from '../../platform/http/actor.js';
import { CurrentActor, IdParam } from '../../platform/http/decorators.js';
import { RestoreHistory } from './restore-history.service.js';
import { RestoreStart } from './restore-start.service.js';

@Controller('v1')
export class RestoreController {
  constructor(
    private readonly starting: RestoreStart,
    private readonly history: RestoreHistory,
  ) {}

  @Post('backups/history/:id/restore')
  start(@CurrentActor() actor: Actor, @IdParam() id: string, @Body() dto: RestoreDto): Promise<RestoreAnswer> {
    return this.starting.start(actor, id, dto);
  }

  @Get('restores')
  list(@CurrentActor() actor: Actor, @Query() query: PageQueryDto): Promise<Page<RestoreView>> {
    return this.history.list(actor, query);
  }

  @Get('restores/:id')
  get(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<RestoreView> {
    return this.history.get(actor, id);
  }

  @Post('restores/:id/cancel')
  @HttpCode(200)
  cancel(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<RestoreView> {
    return this.history.cancel(actor, id);
  }
}
