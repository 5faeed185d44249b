import { Body, Controller, Get, HttpCode, Post, Req, Res } from '@nestjs/common';
import { AppError, LoginCodeDto, LoginDto, RefreshDto, RegisterDto, StepUpDto } from '@rahatback/contracts';
import type { LoginAnswer, PersonView, SessionAnswer, StepUpAnswer, TokenAnswer } from '@rahatback/contracts';
import type { Request, Response } from 'express';
import { AppConfig } from '../../platform/config/app-config.js';
import { AccessTokens } from '../../platform/http/access-tokens.js';
import type { Actor } from '../../platform/http/actor.js';
import { BeforeTotp, CurrentActor, Everybody, PeopleOnly, Public } from '../../platform/http/decorators.js';
import { AccountsService } from './accounts.service.js';
import {
  clearRefreshCookie,
  clientOf,
  deviceAnswer,
  isBrowser,
  loginClientOf,
  presentedToken,
  setRefreshCookie,
} from './browser-session.js';
import { Login } from './login.service.js';
import { PeopleRepository } from './people.repository.js';
import type { StartedSession } from './session-opening.service.js';
import type { IssuedSession } from './session.service.js';
import { SessionService } from './session.service.js';
import { StepUp } from './step-up.service.js';

@Controller('v1/auth')
export class AuthController {
  constructor(
    private readonly accounts: AccountsService,
    private readonly logins: Login,
    private readonly sessions: SessionService,
    private readonly people: PeopleRepository,
    private readonly tokens: AccessTokens,
    private readonly config: AppConfig,
    private readonly stepUps: StepUp,
  ) {}

  @Public()
  @Post('register')
  async register(
    @Body() body: RegisterDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SessionAnswer> {
    return this.started(await this.accounts.register(body, clientOf(request)), request, response);
  }

  @Public()
  @Post('login')
  @HttpCode(200)
  async login(
    @Body() body: LoginDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<LoginAnswer> {
    const outcome = await this.logins.withPassword(body, loginClientOf(request, body));
    if ('session' in outcome) return this.started(outcome, request, response);
    return { challenge: outcome.challenge, challengeExpiresAt: outcome.challengeExpiresAt.toISOString() };
  }

  @Public()
  @Post('login/totp')
  @HttpCode(200)
  async loginWithCode(
    @Body() body: LoginCodeDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SessionAnswer> {
    return this.started(await this.logins.withCode(body, loginClientOf(request, body)), request, response);
  }

  @Public()
  @Post('refresh')
  @HttpCode(200)
  async refresh(
    @Body() body: RefreshDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<TokenAnswer> {
    const token = presentedToken(request, body, this.config.allowedOrigins);
    try {
      return await this.answer(await this.sessions.refresh(token, clientOf(request)), request, response);
    } catch (error) {
      if (isBrowser(request) && error instanceof AppError && error.status === 401) clearRefreshCookie(response);
      throw error;
    }
  }

  @Public()
  @Post('logout')
  @HttpCode(204)
  async logout(@Body() body: RefreshDto, @Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<void> {
    await this.sessions.end(presentedToken(request, body, this.config.allowedOrigins), clientOf(request));
    if (isBrowser(request)) clearRefreshCookie(response);
  }

  @Everybody()
  @PeopleOnly()
  @BeforeTotp()
  @Post('step-up')
  @HttpCode(200)
  stepUp(@CurrentActor() actor: Actor, @Body() body: StepUpDto): Promise<StepUpAnswer> {
    return this.stepUps.confirm(actor, body);
  }

  @BeforeTotp()
  @Get('me')
  async me(@CurrentActor() actor: Actor): Promise<PersonView> {
    const person = await this.people.view(actor);
    if (!person) throw new AppError('NOT_FOUND', 'This account does not exist any more.');
    return person;
  }

  private async started({ user, session, device }: StartedSession, request: Request, response: Response): Promise<SessionAnswer> {
    const tokens = await this.answer(session, request, response);
    return { user, tokens, ...deviceAnswer(request, response, device) };
  }

  private async answer(session: IssuedSession, request: Request, response: Response): Promise<TokenAnswer> {
    const access = await this.tokens.issue(session);
    const answer: TokenAnswer = {
      accessToken: access.token,
      accessTokenExpiresAt: access.expiresAt.toISOString(),
      refreshTokenExpiresAt: session.refreshTokenExpiresAt.toISOString(),
    };
    if (!isBrowser(request)) return { ...answer, refreshToken: session.refreshToken };
    setRefreshCookie(response, session.refreshToken, session.refreshTokenExpiresAt);
    return answer;
  }
}
