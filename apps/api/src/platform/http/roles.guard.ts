import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AppError } from '@rahatback/contracts';
import type { Role } from '@rahatback/contracts';
import type { ActorRequest } from './decorators.js';
import { NEEDED_ROLES } from './decorators.js';

const READS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Without `@Roles`, everybody may read and everybody but viewers may write: a route that forgot to say is closed to viewers. */
@Injectable()
export class RolesGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const { actor, method } = context.switchToHttp().getRequest<ActorRequest>();
    if (!actor) return true; // a public route: the guard before this one let it through
    const needed = this.reflector.getAllAndOverride<Role[] | undefined>(NEEDED_ROLES, [context.getHandler(), context.getClass()]);
    const allowed = needed ? needed.includes(actor.role) : READS.has(method) || actor.role !== 'viewer';
    if (!allowed) throw new AppError('FORBIDDEN', `Your role (${actor.role}) may not do this. Ask an owner of the workspace.`);
    return true;
  }
}
