import { Injectable } from '@nestjs/common';
import type { PersonView, Role } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { ActorDirectory } from '../../platform/http/actor.js';
import { networkOf } from './network.js';

/** The version of credentials that are still the first ones. */
export const NEVER_CHANGED = 'first';

export interface KnownPerson {
  readonly view: PersonView;
  readonly passwordHash: string;
  /** Another one after every change of password: what was promised for an earlier one does not hold any more. */
  readonly credentialsVersion: string;
  /** Whether this person has a session that was used from the network of the address. */
  readonly knowsNetwork: boolean;
  /** Whether a code is asked for after the password. */
  readonly hasTotp: boolean;
}

interface PersonRow {
  id: string;
  email: string;
  name: string;
  workspace_id: string;
  role: Role;
}

interface KnownRow extends PersonRow {
  password_hash: string;
  version: string;
  knows_network: boolean;
  has_totp: boolean;
}

const toPersonView = (row: PersonRow): PersonView => ({
  id: row.id,
  email: row.email,
  name: row.name,
  workspaceId: row.workspace_id,
  role: row.role,
});

const toKnownPerson = (row: KnownRow): KnownPerson => ({
  view: toPersonView(row),
  passwordHash: row.password_hash,
  credentialsVersion: row.version,
  knowsNetwork: row.knows_network,
  hasTotp: row.has_totp,
});

const VERSION = `coalesce(extract(epoch FROM u.credentials_changed_at)::text, '${NEVER_CHANGED}')`;

/** $1: the network. */
const KNOWN_PERSON = `SELECT u.id, u.email, u.name, u.password_hash, m.workspace_id, m.role, ${VERSION} AS version,
    EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.user_id = u.id AND t.network = $1) AS knows_network,
    EXISTS (SELECT 1 FROM totp_factors f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL) AS has_totp
  FROM users u JOIN memberships m ON m.user_id = u.id`;

/** A person whose workspace asks for a second factor that they do not have yet may do nothing but set one up. */
const LACKS_TOTP = `(w.require_totp AND NOT EXISTS (
  SELECT 1 FROM totp_factors f WHERE f.user_id = m.user_id AND f.confirmed_at IS NOT NULL))`;

/** Reads people across workspaces, as log-in must; everything else goes through a workspace's transaction. */
@Injectable()
export class PeopleRepository extends ActorDirectory {
  constructor(private readonly database: Database) {
    super();
  }

  /** A person of several workspaces lands in the oldest membership. */
  async findByEmail(email: string, ip: string): Promise<KnownPerson | undefined> {
    const [row] = await this.database.asSystem('login', (tx) =>
      tx.query<KnownRow[]>(`${KNOWN_PERSON} WHERE lower(u.email) = lower($2) ORDER BY m.created_at, m.workspace_id LIMIT 1`, [
        networkOf(ip),
        email,
      ]),
    );
    return row && toKnownPerson(row);
  }

  async findById(userId: string, workspaceId: string, ip: string): Promise<KnownPerson | undefined> {
    const [row] = await this.database.asSystem('login', (tx) =>
      tx.query<KnownRow[]>(`${KNOWN_PERSON} WHERE u.id = $2 AND m.workspace_id = $3`, [networkOf(ip), userId, workspaceId]),
    );
    return row && toKnownPerson(row);
  }

  /** Whether the password is still the one that was looked at. It stays so until the end of the transaction. */
  async holdCredentials(tx: Tx, { view, credentialsVersion }: KnownPerson): Promise<boolean> {
    const rows = await tx.query<unknown[]>(`SELECT 1 FROM users u WHERE u.id = $1 AND ${VERSION} = $2 FOR SHARE`, [
      view.id,
      credentialsVersion,
    ]);
    return rows.length === 1;
  }

  /** The same password, hashed anew. Does nothing when the password was changed meanwhile. */
  async renewHash({ view, passwordHash }: KnownPerson, newHash: string): Promise<void> {
    await this.database.asSystem('login', (tx) =>
      tx.query('UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2', [view.id, passwordHash, newHash]),
    );
  }

  /** Another password in place of the one whose hash is `oldHash`; its new version, or undefined when that is not it any more. */
  async replacePassword(tx: Tx, userId: string, oldHash: string, newHash: string): Promise<string | undefined> {
    const [rows] = await tx.query<[{ version: string }[], number]>(
      `UPDATE users u SET password_hash = $3, credentials_changed_at = clock_timestamp()
       WHERE u.id = $1 AND u.password_hash = $2 RETURNING ${VERSION} AS version`,
      [userId, oldHash, newHash],
    );
    return rows[0]?.version;
  }

  /** Read at every request: a revoked session or membership ends at once. */
  override async find(claims: {
    userId: string;
    workspaceId: string;
    sessionId: string;
  }): Promise<Omit<Actor, 'ip' | 'authenticatedAt'> | undefined> {
    const [row] = await this.database.asSystem('authenticate', (tx) =>
      tx.query<{ role: Role; lacksTotp: boolean }[]>(
        `SELECT m.role, ${LACKS_TOTP} AS "lacksTotp" FROM memberships m JOIN workspaces w ON w.id = m.workspace_id
         WHERE m.user_id = $1 AND m.workspace_id = $2 AND EXISTS (
           SELECT 1 FROM refresh_tokens t
           WHERE t.family_id = $3 AND t.user_id = $1 AND t.workspace_id = $2 AND t.revoked_at IS NULL AND t.family_expires_at > now())`,
        [claims.userId, claims.workspaceId, claims.sessionId],
      ),
    );
    return row && { ...claims, ...row };
  }

  async requiresTotp(tx: Tx, workspaceId: string): Promise<boolean> {
    const rows = await tx.query<unknown[]>('SELECT 1 FROM workspaces WHERE id = $1 AND require_totp', [workspaceId]);
    return rows.length === 1;
  }

  async view(actor: Actor): Promise<PersonView | undefined> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) => (await this.members(tx, actor.userId))[0]);
  }

  /** The people of the transaction's workspace, or the one that is asked for. */
  async members(tx: Tx, userId?: string): Promise<PersonView[]> {
    const rows = await tx.query<PersonRow[]>(
      `SELECT u.id, u.email, u.name, m.workspace_id, m.role FROM memberships m JOIN users u ON u.id = m.user_id
       WHERE $1::uuid IS NULL OR u.id = $1 ORDER BY m.created_at, u.id`,
      [userId ?? null],
    );
    return rows.map(toPersonView);
  }

  /** Tokens of sessions that ended a week ago teach nobody anything any more. */
  async forgetEndedSessions(tx: Tx, userId: string): Promise<void> {
    await tx.query(`DELETE FROM refresh_tokens WHERE user_id = $1 AND family_expires_at < now() - interval '7 days'`, [userId]);
  }
}
