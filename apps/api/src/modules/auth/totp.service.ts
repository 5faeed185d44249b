import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import type { RecoveryCodesAnswer, TotpEnrolment, TotpView } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { AuditTrail } from '../audit/index.js';
import { LoginLimiter } from './login-limiter.service.js';
import { formatRecoveryCode, newRecoveryCodes, newTotpSecret, otpauthUrl, plainCode, stepOf } from './one-time-codes.js';
import { Passwords } from './passwords.service.js';
import { PeopleRepository } from './people.repository.js';
import { SecondFactor } from './second-factor.service.js';
import { SecondFactorsRepository } from './second-factors.repository.js';

const RECOVERY_CODES = 10;

const notEnrolled = (): AppError =>
  new AppError('TOTP_NOT_ENROLLED', 'This account has no authenticator yet. Set one up first: POST /v1/auth/totp/enrol.');

/** A person's authenticator (RFC 6238) and recovery codes: set up, renewed and taken away by themselves. */
@Injectable()
export class Totp {
  constructor(
    private readonly database: Database,
    private readonly factors: SecondFactorsRepository,
    private readonly secondFactor: SecondFactor,
    private readonly people: PeopleRepository,
    private readonly passwords: Passwords,
    private readonly limiter: LoginLimiter,
    private readonly audit: AuditTrail,
  ) {}

  read(actor: Actor): Promise<TotpView> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const factor = await this.factors.find(tx, actor.userId);
      return {
        enrolledAt: factor?.confirmedAt?.toISOString() ?? null,
        recoveryCodesLeft: factor?.confirmedAt ? await this.factors.unusedCodes(tx, actor.userId) : 0,
        required: await this.people.requiresTotp(tx, actor.workspaceId),
      };
    });
  }

  /** Until it is confirmed nothing changes; beginning again makes another secret. @throws AppError TOTP_ENROLLED */
  async enrol(actor: Actor): Promise<TotpEnrolment> {
    const person = await this.people.view(actor);
    if (!person) throw new AppError('NOT_FOUND', 'This account does not exist any more.');
    const secret = newTotpSecret();
    await this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const owner = { userId: actor.userId, workspaceId: actor.workspaceId };
      if (!(await this.factors.begin(tx, { ...owner, secret: this.secondFactor.seal(owner, secret) }))) {
        throw new AppError(
          'TOTP_ENROLLED',
          'This account has an authenticator already. Take that one away first to use another.',
        );
      }
      await this.record(tx, actor, 'totp.enrolment_begun');
    });
    return { secret, otpauthUrl: otpauthUrl(secret, person.email) };
  }

  /** @throws AppError TOTP_WRONG, TOTP_NOT_ENROLLED, TOTP_ENROLLED, LOGIN_THROTTLED */
  async confirm(actor: Actor, code: string): Promise<RecoveryCodesAnswer> {
    const factor = await this.database.inWorkspace(actor.workspaceId, (tx) => this.factors.find(tx, actor.userId));
    if (!factor) throw notEnrolled();
    if (factor.confirmedAt) throw new AppError('TOTP_ENROLLED', 'This authenticator is confirmed already.');
    const knock = { account: actor.userId, ip: actor.ip, device: actor.sessionId };
    await this.limiter.attempt(knock);
    const step = stepOf(this.secondFactor.open(factor, factor.secret), plainCode(code));
    if (step === undefined) {
      throw new AppError('TOTP_WRONG', 'This code is wrong. Check the clock of your phone, and type the code that is shown now.');
    }
    await this.limiter.loggedIn(knock);
    const { shown, stored } = await this.newCodes();
    await this.database.inWorkspace(actor.workspaceId, async (tx) => {
      if (!(await this.factors.confirm(tx, factor, step)))
        throw new AppError('TOTP_ENROLLED', 'This authenticator is confirmed already.');
      await this.factors.replaceCodes(tx, factor, stored);
      await this.record(tx, actor, 'totp.enrolled');
    });
    return { recoveryCodes: shown };
  }

  /** The former codes are worth nothing any more. @throws AppError TOTP_NOT_ENROLLED */
  async renewCodes(actor: Actor): Promise<RecoveryCodesAnswer> {
    const { shown, stored } = await this.newCodes();
    await this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const factor = await this.factors.find(tx, actor.userId);
      if (!factor?.confirmedAt) throw notEnrolled();
      await this.factors.replaceCodes(tx, factor, stored);
      await this.record(tx, actor, 'totp.recovery_codes_renewed');
    });
    return { recoveryCodes: shown };
  }

  /** @throws AppError TOTP_NOT_ENROLLED, TOTP_REQUIRED where the workspace asks for it */
  disable(actor: Actor): Promise<void> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      if (await this.people.requiresTotp(tx, actor.workspaceId)) {
        throw new AppError(
          'TOTP_REQUIRED',
          'Your workspace asks all its people for an authenticator. Ask an owner to change that first.',
        );
      }
      if (!(await this.factors.remove(tx, actor.userId))) throw notEnrolled();
      this.secondFactor.removed(tx, actor.userId);
      await this.record(tx, actor, 'totp.disabled');
    });
  }

  private async newCodes(): Promise<{ shown: string[]; stored: { selector: string; codeHash: string }[] }> {
    const codes = newRecoveryCodes(RECOVERY_CODES);
    const hashed = codes.map(async ({ selector, secret }) => ({ selector, codeHash: await this.passwords.hashRandom(secret) }));
    return { shown: codes.map(formatRecoveryCode), stored: await Promise.all(hashed) };
  }

  private record(tx: Tx, actor: Actor, action: string): Promise<void> {
    return this.audit.record(tx, { workspaceId: actor.workspaceId, actor, action, targetType: 'user', targetId: actor.userId });
  }
}
