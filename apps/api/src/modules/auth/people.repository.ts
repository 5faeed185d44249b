import { Injectable } from '@nestjs/common';
import type { PersonView, Role } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { ActorDirectory } from '../../platform/http/actor.js';

export interface KnownPerson {
  readonly view: PersonView;
  readonly passwordHash: string;
  /** Whether this person has a session that was last used from the address. */
  readonly knowsAddress: boolean;
}

interface PersonRow {
  id: string;
  email: string;
  name: string;
  workspace_id: string;
  role: Role;
  password_hash: string;
  knows_address: boolean;
}

const toPersonView = (row: Omit<PersonRow, 'password_hash' | 'knows_address'>): PersonView => ({
  id: row.id,
  email: row.email,
  name: row.name,
  workspaceId: row.workspace_id,
  role: row.role,
});

/** Reads people across workspaces, as log-in must; everything else goes through a workspace's transaction. */
@Injectable()
export class PeopleRepository extends ActorDirectory {
  constructor(private readonly database: Database) {
    super();
  }

  /** A person of several workspaces lands in the oldest membership. */
  async findByEmail(email: string, ip: string): Promise<KnownPerson | undefined> {
    const [row] = await this.database.asSystem('login', (tx) =>
      tx.query<PersonRow[]>(
        `SELECT u.id, u.email, u.name, u.password_hash, m.workspace_id, m.role,
                EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.user_id = u.id AND t.ip = $2) AS knows_address
         FROM users u JOIN memberships m ON m.user_id = u.id
         WHERE lower(u.email) = lower($1) ORDER BY m.created_at, m.workspace_id LIMIT 1`,
        [email, ip],
      ),
    );
    return row && { view: toPersonView(row), passwordHash: row.password_hash, knowsAddress: row.knows_address };
  }

  /** Read at every request: a revoked session or membership ends at once. */
  override async find(claims: {
    userId: string;
    workspaceId: string;
    sessionId: string;
  }): Promise<Omit<Actor, 'ip' | 'authenticatedAt'> | undefined> {
    const [row] = await this.database.asSystem('authenticate', (tx) =>
      tx.query<{ role: Role }[]>(
        `SELECT m.role FROM memberships m
         WHERE m.user_id = $1 AND m.workspace_id = $2 AND EXISTS (
           SELECT 1 FROM refresh_tokens t
           WHERE t.family_id = $3 AND t.user_id = $1 AND t.workspace_id = $2 AND t.revoked_at IS NULL AND t.family_expires_at > now())`,
        [claims.userId, claims.workspaceId, claims.sessionId],
      ),
    );
    return row && { ...claims, role: row.role };
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
