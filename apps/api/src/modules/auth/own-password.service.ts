import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { AuditTrail } from '../audit/index.js';
import { AccountNotices } from './account-notices.service.js';
import { LoginLimiter } from './login-limiter.service.js';
import type { Knock } from './login-limiter.service.js';
import { Passwords } from './passwords.service.js';
import { User } from './user.entity.js';

/** Guesses out of a session count for that session: a thief of it is slowed down, and its owner logs in elsewhere as ever. */
export const knockOf = (actor: Actor): Knock => ({ account: actor.userId, ip: actor.ip, device: actor.sessionId });

/** A person who is logged in shows that they know their password. */
@Injectable()
export class OwnPassword {
  constructor(
    private readonly database: Database,
    private readonly passwords: Passwords,
    private readonly limiter: LoginLimiter,
    private readonly audit: AuditTrail,
    private readonly notices: AccountNotices,
  ) {}

  /** @throws AppError LOGIN_FAILED, LOGIN_THROTTLED, UNAVAILABLE */
  async check(actor: Actor, password: string): Promise<User> {
    const user = await this.database.asSystem('own password', (tx) => tx.findOneBy(User, { id: actor.userId }));
    await this.limiter.attempt(knockOf(actor));
    if (!(await this.passwords.matches(user?.passwordHash, password)) || !user) {
      await this.refused(actor);
      throw new AppError('LOGIN_FAILED', 'The password is wrong. Check it and try again.');
    }
    await this.limiter.loggedIn(knockOf(actor));
    return user;
  }

  /** The person is told: who changed it may be somebody else. */
  changed(tx: Tx, userId: string): void {
    this.notices.send(tx, userId, 'password_changed');
  }

  refused(actor: Actor): Promise<void> {
    return this.database.inWorkspace(actor.workspaceId, (tx) =>
      this.audit.record(tx, {
        workspaceId: actor.workspaceId,
        actor,
        action: 'session.step_up_refused',
        targetType: 'user',
        targetId: actor.userId,
        outcome: 'failure',
      }),
    );
  }
}
