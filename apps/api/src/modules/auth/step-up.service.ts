import { Injectable } from '@nestjs/common';
import type { StepUpAnswer } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import { AccessTokens } from '../../platform/http/access-tokens.js';
import type { Actor } from '../../platform/http/actor.js';
import { AuditTrail } from '../audit/index.js';
import { LoginLimiter } from './login-limiter.service.js';
import { Passwords } from './passwords.service.js';
import { User } from './user.entity.js';

/** A person who is logged in proves again that it is them. Guessing is slowed down as at log-in, and counts together with it. */
@Injectable()
export class StepUp {
  constructor(
    private readonly database: Database,
    private readonly passwords: Passwords,
    private readonly limiter: LoginLimiter,
    private readonly tokens: AccessTokens,
    private readonly audit: AuditTrail,
  ) {}

  /** @throws AppError LOGIN_FAILED, LOGIN_THROTTLED, UNAVAILABLE */
  async confirm(actor: Actor, password: string): Promise<StepUpAnswer> {
    const user = await this.database.asSystem('step-up', (tx) => tx.findOneBy(User, { id: actor.userId }));
    const account = (user?.email ?? actor.userId).toLowerCase();
    await this.limiter.attempt(account, actor.ip);
    if (!(await this.passwords.matches(user?.passwordHash, password))) {
      await this.limiter.failed(account);
      await this.record(actor, 'session.step_up_refused');
      throw new AppError('LOGIN_FAILED', 'The password is wrong. Check it and try again.');
    }
    await this.limiter.succeeded(account, actor.ip);
    await this.record(actor, 'session.stepped_up');
    const { token, expiresAt } = await this.tokens.issue({ ...actor, authenticatedAt: new Date() });
    return { accessToken: token, accessTokenExpiresAt: expiresAt.toISOString() };
  }

  private record(actor: Actor, action: 'session.stepped_up' | 'session.step_up_refused'): Promise<void> {
    const outcome = action === 'session.stepped_up' ? 'success' : 'failure';
    return this.database.inWorkspace(actor.workspaceId, (tx) =>
      this.audit.record(tx, {
        workspaceId: actor.workspaceId,
        actor,
        action,
        targetType: 'user',
        targetId: actor.userId,
        outcome,
      }),
    );
  }
}
