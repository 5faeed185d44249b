import { Injectable } from '@nestjs/common';
import type { Tx } from '../../platform/database/database.js';

export interface OpenSession {
  readonly id: string;
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly startedAt: Date;
  readonly lastUsedAt: Date;
  readonly expiresAt: Date;
}

/** Log-ins as a whole: one for each family of refresh tokens. */
@Injectable()
export class SessionsRepository {
  /** Those that have not ended, the last used first, in one order for everybody who locks them. */
  ofPerson(tx: Tx, userId: string): Promise<OpenSession[]> {
    return tx.query<OpenSession[]>(
      `SELECT newest.family_id AS id, newest.ip, newest.user_agent AS "userAgent", begun.at AS "startedAt",
              newest.created_at AS "lastUsedAt", newest.family_expires_at AS "expiresAt"
       FROM (SELECT DISTINCT ON (family_id) * FROM refresh_tokens WHERE user_id = $1 ORDER BY family_id, created_at DESC, id DESC) newest
       JOIN LATERAL (SELECT min(created_at) AS at FROM refresh_tokens t WHERE t.family_id = newest.family_id) begun ON true
       WHERE newest.revoked_at IS NULL AND newest.family_expires_at > now()
       ORDER BY newest.created_at DESC, newest.family_id`,
      [userId],
    );
  }
}
