import { Body, Controller, Delete, Get, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ChangePasswordDto } from '@rahatback/contracts';
import type { PasswordAnswer, SessionsEndedAnswer, SessionView } from '@rahatback/contracts';
import type { Request, Response } from 'express';
import type { Actor } from '../../platform/http/actor.js';
import { BeforeTotp, CurrentActor, Everybody, IdParam, PeopleOnly } from '../../platform/http/decorators.js';
import { FreshLogin } from '../../platform/http/step-up.guard.js';
import { deviceAnswer } from './browser-session.js';
import { OwnSessions } from './own-sessions.service.js';
import { PasswordChange } from './password-change.service.js';

/** Everybody's own sessions and password. */
@PeopleOnly()
@Everybody()
@BeforeTotp()
@Controller('v1/auth')
export class OwnAccountController {
  constructor(
    private readonly sessions: OwnSessions,
    private readonly passwords: PasswordChange,
  ) {}

  @Get('sessions')
  list(@CurrentActor() actor: Actor): Promise<SessionView[]> {
    return this.sessions.list(actor);
  }

  @Delete('sessions/:id')
  @HttpCode(204)
  end(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<void> {
    return this.sessions.end(actor, id);
  }

  @Post('sessions/end-others')
  @HttpCode(200)
  async endOthers(@CurrentActor() actor: Actor): Promise<SessionsEndedAnswer> {
    return { ended: await this.sessions.endOthers(actor) };
  }

  @FreshLogin()
  @Post('password')
  @HttpCode(200)
  async changePassword(
    @CurrentActor() actor: Actor,
    @Body() body: ChangePasswordDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<PasswordAnswer> {
    const { sessionsEnded, device } = await this.passwords.change(actor, body);
    return { sessionsEnded, ...deviceAnswer(request, response, device) };
  }
}
