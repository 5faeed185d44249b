import type { ExecutionContext } from '@nestjs/common';
import { createParamDecorator, Param, SetMetadata } from '@nestjs/common';
import type { ApiTokenScope, Role } from '@rahatback/contracts';
import { ROLES } from '@rahatback/contracts';
import type { Request } from 'express';
import type { Actor } from './actor.js';
import { UuidPipe } from './uuid.pipe.js';

export const IS_PUBLIC = 'rahatback:public';
export const NEEDED_ROLES = 'rahatback:roles';
export const NEEDED_SCOPE = 'rahatback:token-scope';
export const IS_BEFORE_TOTP = 'rahatback:before-totp';

export type ActorRequest = Request & { actor?: Actor };

/** No log-in needed: something else in the request is the credential, or the answer is harmless. */
export const Public = () => SetMetadata(IS_PUBLIC, true);

/** Who may call it. Without it: everybody for GET, everybody but viewers for the rest. */
export const Roles = (...roles: Role[]) => SetMetadata(NEEDED_ROLES, roles);

/** All roles, for reading and writing: what is a person's own. */
export const Everybody = () => Roles(...ROLES);

/** Which scope an API token needs. Without it: `read` for GET, and no token for the rest. */
export const TokenScope = (scope: ApiTokenScope) => SetMetadata(NEEDED_SCOPE, scope);

/** For no API token. */
export const PeopleOnly = () => SetMetadata(NEEDED_SCOPE, 'none');

/** Also for a person whose workspace asks for an authenticator that they have not set up yet. */
export const BeforeTotp = () => SetMetadata(IS_BEFORE_TOTP, true);

export const CurrentActor = createParamDecorator((_options: unknown, context: ExecutionContext): Actor => {
  const { actor } = context.switchToHttp().getRequest<ActorRequest>();
  if (!actor) throw new Error('CurrentActor on a public route.');
  return actor;
});

/** `@IdParam() id: string` instead of `@Param('id')`: a malformed id is 400 VALIDATION and never reaches the database. */
export const IdParam = (name = 'id') => Param(name, new UuidPipe());
