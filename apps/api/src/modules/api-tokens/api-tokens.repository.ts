import { Injectable } from '@nestjs/common';
import type { ApiTokenScope, Role } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';

export interface StoredApiToken {
  readonly id: string;
  readonly workspaceId: string;
  readonly userId: string;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: ApiTokenScope[];
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly lastUsedAt: Date | null;
  readonly lastUsedIp: string | null;
  readonly revokedAt: Date | null;
}

/** A token that may act now, with what its maker may do now. */
export interface LiveApiToken {
  readonly id: string;
  readonly workspaceId: string;
  readonly userId: string;
  readonly name: string;
  readonly scopes: ApiTokenScope[];
  readonly expiresAt: Date;
  readonly role: Role;
  readonly lacksTotp: boolean;
}

const COLUMNS = `t.id, t.workspace_id AS "workspaceId", t.user_id AS "userId", t.name, t.prefix, t.scopes, t.created_at AS "createdAt",
  t.expires_at AS "expiresAt", t.last_used_at AS "lastUsedAt", t.last_used_ip AS "lastUsedIp", t.revoked_at AS "revokedAt"`;

export interface NewApiToken {
  readonly id: string;
  readonly workspaceId: string;
  readonly userId: string;
  readonly name: string;
  readonly prefix: string;
  readonly tokenSha256: string;
  readonly scopes: readonly ApiTokenScope[];
  readonly days: number;
}

@Injectable()
export class ApiTokensRepository {
  async insert(tx: Tx, token: NewApiToken): Promise<StoredApiToken> {
    const [row] = await tx.query<StoredApiToken[]>(
      `INSERT INTO api_tokens AS t (id, workspace_id, user_id, name, prefix, token_sha256, scopes, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7::text[], now() + make_interval(days => $8)) RETURNING ${COLUMNS}`,
      [token.id, token.workspaceId, token.userId, token.name, token.prefix, token.tokenSha256, token.scopes, token.days],
    );
    if (!row) throw new Error('PostgreSQL gave back no row.');
    return row;
  }

  /** Needs the system path: before it is found nobody knows the workspace. */
  async findLive(tx: Tx, tokenSha256: string): Promise<LiveApiToken | undefined> {
    const [row] = await tx.query<LiveApiToken[]>(
      `SELECT t.id, t.workspace_id AS "workspaceId", t.user_id AS "userId", t.name, t.scopes, t.expires_at AS "expiresAt", m.role,
              w.require_totp AND NOT EXISTS (
                SELECT 1 FROM totp_factors f WHERE f.user_id = t.user_id AND f.confirmed_at IS NOT NULL) AS "lacksTotp"
       FROM api_tokens t JOIN memberships m ON m.workspace_id = t.workspace_id AND m.user_id = t.user_id
       JOIN workspaces w ON w.id = t.workspace_id
       WHERE t.token_sha256 = $1 AND t.revoked_at IS NULL AND t.expires_at > now()`,
      [tokenSha256],
    );
    return row;
  }

  /** To the minute: a token that is used all the time is written down once in a while. */
  async touch(tx: Tx, id: string, ip: string): Promise<void> {
    await tx.query(
      `UPDATE api_tokens SET last_used_at = now(), last_used_ip = $2
       WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`,
      [id, ip],
    );
  }

  /** How many of a person's tokens may act now. Until the end of the transaction nobody else counts them. */
  async countLive(tx: Tx, userId: string): Promise<number> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('api tokens ' || $1, 0))`, [userId]);
    const [row] = await tx.query<{ count: number }[]>(
      'SELECT count(*)::int AS count FROM api_tokens WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now()',
      [userId],
    );
    return row?.count ?? 0;
  }

  /** The transaction's workspace, or one person's of it; the newest first. */
  list(tx: Tx, userId?: string): Promise<StoredApiToken[]> {
    return tx.query<StoredApiToken[]>(
      `SELECT ${COLUMNS} FROM api_tokens t WHERE $1::uuid IS NULL OR t.user_id = $1 ORDER BY t.created_at DESC, t.id LIMIT 1000`,
      [userId ?? null],
    );
  }

  /** The token, if this call revoked it. `userId`: only if it is this person's. */
  async revoke(tx: Tx, id: string, userId?: string): Promise<StoredApiToken | undefined> {
    const [rows] = await tx.query<[StoredApiToken[], number]>(
      `UPDATE api_tokens t SET revoked_at = now() WHERE t.id = $1 AND t.revoked_at IS NULL AND ($2::uuid IS NULL OR t.user_id = $2)
       RETURNING ${COLUMNS}`,
      [id, userId ?? null],
    );
    return rows[0];
  }
}
