import { Injectable } from '@nestjs/common';
import type { StepUpAnswer, StepUpDto } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import { AccessTokens } from '../../platform/http/access-tokens.js';
import type { Actor } from '../../platform/http/actor.js';
import { AuditTrail } from '../audit/index.js';
import { LoginLimiter } from './login-limiter.service.js';
import { knockOf, OwnPassword } from './own-password.service.js';
import { SecondFactor } from './second-factor.service.js';
import type { FactorUsed } from './second-factor.service.js';
import { SecondFactorsRepository } from './second-factors.repository.js';

/** A person who is logged in proves again that it is them: by a code of their authenticator or, where they have none, by their password. */
@Injectable()
export class StepUp {
  constructor(
    private readonly database: Database,
    private readonly own: OwnPassword,
    private readonly secondFactor: SecondFactor,
    private readonly factors: SecondFactorsRepository,
    private readonly limiter: LoginLimiter,
    private readonly tokens: AccessTokens,
    private readonly audit: AuditTrail,
  ) {}

  /** @throws AppError LOGIN_FAILED, TOTP_NEEDED, TOTP_WRONG, LOGIN_THROTTLED, UNAVAILABLE, VALIDATION */
  async confirm(actor: Actor, { password, code }: StepUpDto): Promise<StepUpAnswer> {
    const factor = await this.database.inWorkspace(actor.workspaceId, (tx) => this.factors.find(tx, actor.userId));
    const used = factor?.confirmedAt ? await this.byCode(actor, code) : await this.byPassword(actor, password);
    await this.database.inWorkspace(actor.workspaceId, (tx) =>
      this.audit.record(tx, {
        workspaceId: actor.workspaceId,
        actor,
        action: 'session.stepped_up',
        targetType: 'user',
        targetId: actor.userId,
        detail: { factor: used },
      }),
    );
    const { token, expiresAt } = await this.tokens.issue({ ...actor, authenticatedAt: new Date() });
    return { accessToken: token, accessTokenExpiresAt: expiresAt.toISOString() };
  }

  private async byPassword(actor: Actor, password: string | undefined): Promise<'password'> {
    if (password === undefined) throw new AppError('VALIDATION', 'Send your password as "password".');
    await this.own.check(actor, password);
    return 'password';
  }

  private async byCode(actor: Actor, code: string | undefined): Promise<FactorUsed> {
    if (code === undefined)
      throw new AppError('TOTP_NEEDED', 'Send a code of your authenticator, or a recovery code, as "code".');
    await this.limiter.attempt(knockOf(actor));
    const used = await this.database.inWorkspace(actor.workspaceId, (tx) =>
      this.secondFactor.use(tx, { id: actor.userId }, code),
    );
    if (!used) {
      await this.own.refused(actor);
      throw new AppError('TOTP_WRONG', 'This code is wrong, or it was used already. Wait for the next one and type that.');
    }
    await this.limiter.loggedIn(knockOf(actor));
    return used;
  }
}
