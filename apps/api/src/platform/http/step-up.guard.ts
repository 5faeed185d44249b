import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Injectable, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AppError } from '@rahatback/contracts';
import type { Role } from '@rahatback/contracts';
import type { Actor } from './actor.js';
import type { ActorRequest } from './decorators.js';

export const NEEDS_FRESH_LOGIN = 'rahatback:fresh-login';
export const FRESH_LOGIN_MINUTES = 10;

interface FreshLoginRule {
  readonly except: readonly Role[];
  /** Whether an API token may do it: its scope stands for the person's consent. Otherwise none may. */
  readonly apiTokens?: boolean;
}

/** @throws AppError STEP_UP_REQUIRED, FORBIDDEN for an API token: nobody is there to prove who they are */
export function assertFreshLogin(actor: Actor): void {
  if (actor.apiToken) throw new AppError('FORBIDDEN', 'No API token may do this, whatever its scopes. Log in as a person.');
  if (Date.now() - actor.authenticatedAt.getTime() <= FRESH_LOGIN_MINUTES * 60_000) return;
  throw new AppError(
    'STEP_UP_REQUIRED',
    `This needs your password or a code again, because you logged in more than ${FRESH_LOGIN_MINUTES} minutes ago. Give it, then repeat the request.`,
    { maxAgeSeconds: FRESH_LOGIN_MINUTES * 60 },
  );
}

/** The log-in must be of the last ten minutes, except for these roles. */
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
    if (!rule || !actor) return true;
    const isExcepted = actor.apiToken ? rule.apiTokens === true : rule.except.includes(actor.role);
    if (!isExcepted) assertFreshLogin(actor);
    return true;
  }
}
