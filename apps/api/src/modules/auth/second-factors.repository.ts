import { Injectable } from '@nestjs/common';
import type { Tx } from '../../platform/database/database.js';
import { newId } from '../../platform/ids.js';

export interface TotpFactor {
  readonly userId: string;
  readonly workspaceId: string;
  /** Sealed with the server's key-encryption key. */
  readonly secret: string;
  /** Null until a first code has shown that the app has the secret. */
  readonly confirmedAt: Date | null;
}

export interface StoredRecoveryCode {
  readonly id: string;
  readonly codeHash: string;
}

/** A person's authenticator and recovery codes. */
@Injectable()
export class SecondFactorsRepository {
  async find(tx: Tx, userId: string): Promise<TotpFactor | undefined> {
    const [row] = await tx.query<TotpFactor[]>(
      `SELECT user_id AS "userId", workspace_id AS "workspaceId", secret, confirmed_at AS "confirmedAt" FROM totp_factors WHERE user_id = $1`,
      [userId],
    );
    return row;
  }

  /** In the place of one that was begun and never confirmed; false where one is confirmed. */
  async begin(tx: Tx, { userId, workspaceId, secret }: Omit<TotpFactor, 'confirmedAt'>): Promise<boolean> {
    const rows = await tx.query<unknown[]>(
      `INSERT INTO totp_factors (user_id, workspace_id, secret) VALUES ($1, $2, $3)
       ON CONFLICT (user_id) DO UPDATE SET workspace_id = $2, secret = $3, last_step = 0, created_at = now()
       WHERE totp_factors.confirmed_at IS NULL RETURNING user_id`,
      [userId, workspaceId, secret],
    );
    return rows.length === 1;
  }

  /** False where it was confirmed meanwhile, or begun anew with another secret. */
  async confirm(tx: Tx, { userId, secret }: Pick<TotpFactor, 'userId' | 'secret'>, step: number): Promise<boolean> {
    const [, count] = await tx.query<[unknown[], number]>(
      `UPDATE totp_factors SET confirmed_at = now(), last_step = $3 WHERE user_id = $1 AND secret = $2 AND confirmed_at IS NULL`,
      [userId, secret, step],
    );
    return count === 1;
  }

  /** A time step counts once; false for one that is not after the last one. */
  async useStep(tx: Tx, userId: string, step: number): Promise<boolean> {
    const [, count] = await tx.query<[unknown[], number]>(
      `UPDATE totp_factors SET last_step = $2 WHERE user_id = $1 AND confirmed_at IS NOT NULL AND last_step < $2`,
      [userId, step],
    );
    return count === 1;
  }

  /** With its recovery codes; false where there is none that is confirmed. */
  async remove(tx: Tx, userId: string): Promise<boolean> {
    const [, count] = await tx.query<[unknown[], number]>(
      `DELETE FROM totp_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL`,
      [userId],
    );
    return count === 1;
  }

  /** In the place of all that there were. */
  async replaceCodes(
    tx: Tx,
    { userId, workspaceId }: Pick<TotpFactor, 'userId' | 'workspaceId'>,
    codes: readonly { selector: string; codeHash: string }[],
  ): Promise<void> {
    await tx.query('SELECT 1 FROM totp_factors WHERE user_id = $1 FOR UPDATE', [userId]);
    await tx.query('DELETE FROM recovery_codes WHERE user_id = $1', [userId]);
    for (const { selector, codeHash } of codes)
      await tx.query('INSERT INTO recovery_codes (id, user_id, workspace_id, selector, code_hash) VALUES ($1, $2, $3, $4, $5)', [
        newId(),
        userId,
        workspaceId,
        selector,
        codeHash,
      ]);
  }

  async unusedCode(tx: Tx, userId: string, selector: string): Promise<StoredRecoveryCode | undefined> {
    const [row] = await tx.query<StoredRecoveryCode[]>(
      `SELECT id, code_hash AS "codeHash" FROM recovery_codes WHERE user_id = $1 AND selector = $2 AND used_at IS NULL`,
      [userId, selector],
    );
    return row;
  }

  /** False for whoever comes second. */
  async useCode(tx: Tx, id: string): Promise<boolean> {
    const [, count] = await tx.query<[unknown[], number]>(
      'UPDATE recovery_codes SET used_at = now() WHERE id = $1 AND used_at IS NULL',
      [id],
    );
    return count === 1;
  }

  async unusedCodes(tx: Tx, userId: string): Promise<number> {
    const [row] = await tx.query<{ count: number }[]>(
      'SELECT count(*)::int AS count FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL',
      [userId],
    );
    return row?.count ?? 0;
  }
}
