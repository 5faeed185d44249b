import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database } from '../../platform/database/database.js';
import type { Tx } from '../../platform/database/database.js';
import { newId } from '../../platform/ids.js';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import { LiveEvents } from '../../platform/realtime/live-events.js';
import { AuditTrail } from '../audit/index.js';
import { AccountNotices } from './account-notices.service.js';
import { networkOf } from './network.js';
import type { RefreshToken } from './refresh-secret.js';
import {
  formatRefreshToken,
  newRefreshSecret,
  parseRefreshToken,
  refreshSecretSha256,
  successorSecret,
} from './refresh-secret.js';
import { RefreshTokenRow } from './refresh-token.entity.js';

const GRACE_MS = 10_000;
const DAY_MS = 86_400_000;

/** Who a session belongs to and where it was last seen. */
export interface SessionClient {
  readonly ip: string;
  readonly userAgent: string | null;
}

export interface IssuedSession {
  readonly userId: string;
  readonly workspaceId: string;
  /** The family: the same for every token of one log-in. */
  readonly sessionId: string;
  /** When the password was typed: renewing a session never makes it younger. */
  readonly authenticatedAt: Date;
  readonly refreshToken: string;
  readonly refreshTokenExpiresAt: Date;
}

type Exchange = IssuedSession | 'expired' | 'reused';

const expired = (): AppError => new AppError('SESSION_EXPIRED', 'This session has ended. Log in again.');
const reused = (): AppError =>
  new AppError(
    'SESSION_REUSED',
    'An old refresh token was shown again, so all sessions of this device were closed. Log in again.',
  );

/** Log-ins as chains of one-time refresh tokens: rotated at every use, and closed as a whole when an old one comes back. */
@Injectable()
export class SessionService {
  constructor(
    private readonly database: Database,
    private readonly config: AppConfig,
    private readonly keys: ServerKeys,
    private readonly audit: AuditTrail,
    private readonly live: LiveEvents,
    private readonly notices: AccountNotices,
  ) {}

  /** Begins a session in the caller's transaction (system path). */
  async begin(tx: Tx, person: { userId: string; workspaceId: string }, client: SessionClient): Promise<IssuedSession> {
    const token = { id: newId(), secret: newRefreshSecret() };
    const expiresAt = new Date(Date.now() + this.config.refreshTokenDays * DAY_MS);
    const familyId = newId();
    await insertToken(tx, token, { ...person, familyId, familyExpiresAt: expiresAt, client });
    return {
      ...person,
      sessionId: familyId,
      authenticatedAt: new Date(),
      refreshToken: formatRefreshToken(token),
      refreshTokenExpiresAt: expiresAt,
    };
  }

  /**
   * Exchanges a refresh token for its successor. May be called at once from many places: all of them within the 10 s grace get the same
   * successor, so a family never forks.
   * @throws AppError SESSION_EXPIRED, SESSION_REUSED
   */
  async refresh(text: string | undefined, client: SessionClient): Promise<IssuedSession> {
    const token = parseRefreshToken(text);
    if (!token) throw expired();
    const outcome = await this.database.asSystem('refresh', (tx) => this.exchange(tx, token, client));
    if (outcome === 'expired') throw expired();
    if (outcome === 'reused') throw reused(); // after the commit: the revocation must stay
    return outcome;
  }

  /** Ends the log-in that the token belongs to. Unknown, wrong and ended tokens are fine: nobody learns anything, and it may run twice. */
  async end(text: string | undefined, client: SessionClient): Promise<void> {
    const token = parseRefreshToken(text);
    if (!token) return;
    await this.database.asSystem('logout', async (tx) => {
      const row = await findToken(tx, token);
      if (!row || !(await this.revokeFamily(tx, row.familyId))) return;
      await this.audit.record(tx, {
        workspaceId: row.workspaceId,
        actor: { anonymousIp: client.ip },
        action: 'session.ended',
        targetType: 'user',
        targetId: row.userId,
      });
    });
  }

  private async exchange(tx: Tx, token: RefreshToken, client: SessionClient): Promise<Exchange> {
    const row = await findToken(tx, token);
    if (!row) return 'expired'; // a wrong secret changes nothing
    await lockFamily(tx, row.familyId);
    const successorId = newId();
    const used = await tx
      .createQueryBuilder()
      .update(RefreshTokenRow)
      .set({ usedAt: () => 'now()', successorId })
      .where('id = :id AND used_at IS NULL AND revoked_at IS NULL AND expires_at > now() AND family_expires_at > now()', {
        id: row.id,
      })
      .execute();
    const successor = (id: string): RefreshToken => ({ id, secret: successorSecret(this.keys.refreshKey, token.secret, id) });
    if (used.affected === 1) {
      await insertToken(tx, successor(successorId), { ...row, client });
      return issued(row, successor(successorId), await begunAt(tx, row.familyId));
    }
    const current = await findToken(tx, token);
    if (!current?.usedAt || current.successorId === null || current.familyExpiresAt.getTime() <= Date.now()) return 'expired';
    const withinGrace = await isWithinGrace(tx, current.id);
    if (withinGrace && current.revokedAt === null) {
      return issued(current, successor(current.successorId), await begunAt(tx, current.familyId));
    }
    if (current.revokedAt === null) await this.closeReused(tx, current, client);
    return 'reused';
  }

  private async closeReused(tx: Tx, row: RefreshTokenRow, client: SessionClient): Promise<void> {
    await this.revokeFamily(tx, row.familyId);
    this.notices.send(tx, row.userId, 'session_reused');
    await this.audit.record(tx, {
      workspaceId: row.workspaceId,
      actor: { anonymousIp: client.ip },
      action: 'session.reused',
      targetType: 'user',
      targetId: row.userId,
      outcome: 'failure',
      detail: { severity: 'critical', sessionId: row.familyId },
    });
  }

  /** Ends a log-in in the caller's transaction (system path), with its sockets; false where it had ended before. */
  async revokeFamily(tx: Tx, familyId: string): Promise<boolean> {
    await lockFamily(tx, familyId);
    const revoked = await tx
      .createQueryBuilder()
      .update(RefreshTokenRow)
      .set({ revokedAt: () => 'now()' })
      .where('family_id = :familyId AND revoked_at IS NULL', { familyId })
      .execute();
    this.database.afterCommit(tx, () => this.live.closeSession(familyId));
    return (revoked.affected ?? 0) > 0;
  }
}

const issued = (row: RefreshTokenRow, token: RefreshToken, authenticatedAt: Date): IssuedSession => ({
  userId: row.userId,
  workspaceId: row.workspaceId,
  sessionId: row.familyId,
  authenticatedAt,
  refreshToken: formatRefreshToken(token),
  refreshTokenExpiresAt: row.familyExpiresAt,
});

/** The log-in itself: the first token of its family. A family without one counts as never. */
async function begunAt(tx: Tx, familyId: string): Promise<Date> {
  const rows = await tx.query<{ at: Date | null }[]>('SELECT min(created_at) AS at FROM refresh_tokens WHERE family_id = $1', [
    familyId,
  ]);
  return rows[0]?.at ?? new Date(0);
}

/** Rotation and revocation of one family take turns: otherwise a successor made meanwhile would escape the revocation. */
const lockFamily = (tx: Tx, familyId: string): Promise<unknown> =>
  tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [familyId]);

const findToken = (tx: Tx, token: RefreshToken): Promise<RefreshTokenRow | null> =>
  tx.findOneBy(RefreshTokenRow, { id: token.id, secretSha256: refreshSecretSha256(token.secret) });

/** By PostgreSQL's clock, which also set `used_at`. */
async function isWithinGrace(tx: Tx, id: string): Promise<boolean> {
  const rows = await tx.query<{ fresh: boolean }[]>(
    `SELECT used_at > clock_timestamp() - make_interval(secs => $2) AS fresh FROM refresh_tokens WHERE id = $1`,
    [id, GRACE_MS / 1000],
  );
  return rows[0]?.fresh === true;
}

interface Link {
  readonly userId: string;
  readonly workspaceId: string;
  readonly familyId: string;
  readonly familyExpiresAt: Date;
  readonly client: SessionClient;
}

async function insertToken(tx: Tx, token: RefreshToken, link: Link): Promise<void> {
  await tx.insert(RefreshTokenRow, {
    id: token.id,
    secretSha256: refreshSecretSha256(token.secret),
    workspaceId: link.workspaceId,
    userId: link.userId,
    familyId: link.familyId,
    expiresAt: link.familyExpiresAt,
    familyExpiresAt: link.familyExpiresAt,
    ip: link.client.ip,
    network: networkOf(link.client.ip),
    userAgent: link.client.userAgent?.slice(0, 300) ?? null,
  });
}
