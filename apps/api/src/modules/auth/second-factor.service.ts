import { Injectable } from '@nestjs/common';
import { isCryptoError, openField, sealField } from '@rahatback/crypto';
import { AppError } from '@rahatback/contracts';
import type { FieldRef } from '@rahatback/crypto';
import type { Tx } from '../../platform/database/database.js';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import { AccountNotices } from './account-notices.service.js';
import { isTotpCode, parseRecoveryCode, plainCode, stepOf } from './one-time-codes.js';
import { Passwords } from './passwords.service.js';
import { SecondFactorsRepository } from './second-factors.repository.js';

export type FactorUsed = 'totp' | 'recovery_code';

interface Owner {
  readonly userId: string;
  readonly workspaceId: string;
}

/** Bound to row, column and workspace: a sealed text that is copied to another person's row opens nothing. */
const placeOf = ({ userId, workspaceId }: Owner): FieldRef => ({
  table: 'totp_factors',
  column: 'secret',
  rowId: userId,
  workspaceId,
});

/** Whether a code is one that this person's authenticator shows now, or one of their recovery codes. Every code counts once. */
@Injectable()
export class SecondFactor {
  constructor(
    private readonly factors: SecondFactorsRepository,
    private readonly passwords: Passwords,
    private readonly keys: ServerKeys,
    private readonly notices: AccountNotices,
  ) {}

  /** Uses the code up, in the caller's transaction. Undefined for a wrong one, and for one that was used. */
  async use(tx: Tx, person: { id: string }, typed: string): Promise<FactorUsed | undefined> {
    const code = plainCode(typed);
    if (!isTotpCode(code)) return (await this.useRecoveryCode(tx, person.id, code)) ? 'recovery_code' : undefined;
    const factor = await this.factors.find(tx, person.id);
    const step = factor?.confirmedAt ? stepOf(this.open(factor, factor.secret), code) : undefined;
    return step !== undefined && (await this.factors.useStep(tx, person.id, step)) ? 'totp' : undefined;
  }

  /** The person is told: without it, the password alone opens their account. */
  removed(tx: Tx, userId: string): void {
    this.notices.send(tx, userId, 'totp_disabled');
  }

  seal(owner: Owner, secret: string): string {
    return sealField(this.keys.kek, placeOf(owner), secret);
  }

  /** @throws AppError CONFIG_INVALID when it cannot be opened with the keys that this server has; recovery codes go on working */
  open(owner: Owner, sealed: string): string {
    try {
      return openField(this.keys.kek, placeOf(owner), sealed).toString('utf8');
    } catch (error) {
      if (!isCryptoError(error)) throw error;
      throw new AppError(
        'CONFIG_INVALID',
        'This authenticator cannot be checked with the server keys that are loaded. Use a recovery code, and ask who runs the server to put the keys folder back.',
        undefined,
        { cause: error },
      );
    }
  }

  private async useRecoveryCode(tx: Tx, userId: string, plain: string): Promise<boolean> {
    const code = parseRecoveryCode(plain);
    const stored = code && (await this.factors.unusedCode(tx, userId, code.selector));
    const isRight = stored !== undefined && (await this.passwords.matches(stored.codeHash, code?.secret ?? ''));
    if (!isRight || !(await this.factors.useCode(tx, stored.id))) return false;
    this.notices.send(tx, userId, 'recovery_code_used');
    return true;
  }
}
