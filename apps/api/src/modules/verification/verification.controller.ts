import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import type { Page, VerificationView, VerifyAnswer } from '@rahatback/contracts';
import { PageQueryDto, VerificationQueryDto, VerifyDto } from '@rahatback/contracts';
import type { Actor } from '../../platform/http/actor.js';
import { CurrentActor, IdParam, TokenScope } from '../../platform/http/decorators.js';
import { VerificationHistory } from './verification-history.service.js';
import { VerificationStart } from './verification-start.service.js';

@Controller('v1')
export class VerificationController {
  constructor(
    private readonly starting: VerificationStart,
    private readonly history: VerificationHistory,
  ) {}

  @TokenScope('backups:run')
  @Post('backups/history/:id/verify')
  start(@CurrentActor() actor: Actor, @IdParam() id: string, @Body() dto: VerifyDto): Promise<VerifyAnswer> {
    return this.starting.byHand(actor, id, dto);
  }

  @Get('backups/history/:id/verifications')
  ofBackup(@CurrentActor() actor: Actor, @IdParam() id: string, @Query() query: PageQueryDto): Promise<Page<VerificationView>> {
    return this.history.ofBackup(actor, id, query);
  }

  @Get('verifications')
  list(@CurrentActor() actor: Actor, @Query() query: VerificationQueryDto): Promise<Page<VerificationView>> {
    return this.history.list(actor, query);
  }

  @Get('verifications/:id')
  get(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<VerificationView> {
    return this.history.get(actor, id);
  }

  @TokenScope('backups:run')
  @Post('verifications/:id/cancel')
  @HttpCode(200)
  cancel(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<VerificationView> {
    return this.history.cancel(actor, id);
  }
}
