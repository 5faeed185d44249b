import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { ApiTokenScope } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import type { ActingToken } from './actor.js';
import { ApiTokenDirectory } from './actor.js';
import type { ActorRequest } from './decorators.js';
import { NEEDED_SCOPE } from './decorators.js';

/** @throws AppError SCOPE_MISSING */
function assertScope({ scopes }: ActingToken, needed: ApiTokenScope): void {
  if (scopes.includes(needed) || scopes.includes('admin')) return;
  throw new AppError('SCOPE_MISSING', `This API token lacks the scope "${needed}". Make one that has it.`, { scope: needed });
}

/** What listening to a workspace's events needs. @throws AppError SCOPE_MISSING */
export const assertMayRead = (token: ActingToken): void => assertScope(token, 'read');

/** API tokens only: what the token's scopes allow, on top of what its maker's role allows. A route that forgot to say is open to none but for reading. */
@Injectable()
export class TokenScopeGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly tokens: ApiTokenDirectory,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return true;
    const { actor, method } = context.switchToHttp().getRequest<ActorRequest>();
    if (!actor?.apiToken) return true;
    const said = this.reflector.getAllAndOverride<ApiTokenScope | 'none' | undefined>(NEEDED_SCOPE, [
      context.getHandler(),
      context.getClass(),
    ]);
    const needed = said ?? (method === 'GET' || method === 'HEAD' ? 'read' : 'none');
    if (needed === 'none') throw new AppError('FORBIDDEN', 'No API token may do this, whatever its scopes. Log in as a person.');
    assertScope(actor.apiToken, needed);
    await this.tokens.used(actor);
    return true;
  }
}
