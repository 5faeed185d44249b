import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Injectable, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AppError } from '@rahatback/contracts';
import type { Role } from '@rahatback/contracts';
import type { ActorRequest } from './decorators.js';

export const NEEDS_FRESH_LOGIN = 'rahatback:fresh-login';
export const FRESH_LOGIN_MINUTES = 10;

interface FreshLoginRule {
  readonly except: readonly Role[];
}

/** The password must have been typed within the last ten minutes, except by these roles. */
export const FreshLogin = (rule: FreshLoginRule = { except: [] }) => SetMetadata(NEEDS_FRESH_LOGIN, rule);

/** For what an unlocked laptop or a copied token must not be enough for. */
@Injectable()
export class StepUpGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const rule = this.reflector.getAllAndOverride<FreshLoginRule | undefined>(NEEDS_FRESH_LOGIN, [
      context.getHandler(),
      context.getClass(),
    ]);
    const { actor } = context.switchToHttp().getRequest<ActorRequest>();
    if (!rule || !actor || rule.except.includes(actor.role)) return true;
    if (Date.now() - actor.authenticatedAt.getTime() <= FRESH_LOGIN_MINUTES * 60_000) return true;
    throw new AppError(
      'STEP_UP_REQUIRED',
      `This needs your password again, because you logged in more than ${FRESH_LOGIN_MINUTES} minutes ago. Type it, then repeat the request.`,
      { maxAgeSeconds: FRESH_LOGIN_MINUTES * 60 },
    );
  }
}
