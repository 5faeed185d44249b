import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AppError } from '@rahatback/contracts';
import { AccessTokens } from './access-tokens.js';
import type { ActorRequest } from './decorators.js';
import { IS_BEFORE_TOTP, IS_PUBLIC } from './decorators.js';

/** Every route needs a log-in unless it says `@Public()`. */
@Injectable()
export class JwtAuthGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly tokens: AccessTokens,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return true;
    if (this.isMarked(context, IS_PUBLIC)) return true;
    const request = context.switchToHttp().getRequest<ActorRequest>();
    const token = /^Bearer ([A-Za-z0-9._~+/=-]+)$/.exec(request.headers.authorization ?? '')?.[1];
    const { actor } = await this.tokens.authenticate(token, request.ip ?? '');
    if (actor.lacksTotp === true && !this.isMarked(context, IS_BEFORE_TOTP)) throw totpRequired();
    request.actor = actor;
    return true;
  }

  private isMarked(context: ExecutionContext, mark: string): boolean {
    return this.reflector.getAllAndOverride<boolean | undefined>(mark, [context.getHandler(), context.getClass()]) === true;
  }
}

export const totpRequired = (): AppError =>
  new AppError('TOTP_REQUIRED', 'Your workspace asks for an authenticator. Set one up first: POST /v1/auth/totp/enrol.');
