import { startApi } from '../../testing/start-api.js';
import type { Registered, RunningApi } from '../../testing/start-api.js';

/** Tables that belong to no workspace. A new table is either below a policy or named here. */
const SHARED_TABLES = ['migrations', 'server_keys', 'server_state', 'used_parts'];

describe('row-level security', () => {
  let api: RunningApi;
  let one: Registered;
  let other: Registered;
  let tables: string[];
  beforeAll(async () => {
    api = await startApi({ worker: false });
    [one, other] = [await api.register(), await api.register()];
    tables = (await api.postgres.query(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)).map((row) =>
      String(row[0]),
    );
  }, 60_000);
  afterAll(() => api?.stop());

  it('is enabled and forced, with a policy, on every table of a workspace', async () => {
    const rows = await api.postgres.query(
      `SELECT c.relname FROM pg_class c JOIN pg_policies p ON p.tablename = c.relname AND p.schemaname = 'public'
       WHERE c.relkind = 'r' AND c.relrowsecurity AND c.relforcerowsecurity AND p.cmd = 'ALL' AND p.qual IS NOT NULL AND p.with_check IS NOT NULL`,
    );
    const guarded = rows.map((row) => String(row[0]));
    expect(tables.filter((table) => !guarded.includes(table)).sort()).toEqual(SHARED_TABLES);
  });

  it('shows a transaction nothing of another workspace, also without WHERE', async () => {
    const seen = await api.database.inWorkspace(one.workspaceId, async (tx) => {
      const found: Record<string, unknown[]> = {};
      for (const table of tables.filter((name) => !SHARED_TABLES.includes(name)))
        found[table] = await tx.query(`SELECT * FROM ${table}`);
      return found;
    });
    expect(seen['workspaces']).toHaveLength(1);
    expect(seen['users']).toHaveLength(1);
    expect(seen['refresh_tokens']).toHaveLength(1);
    expect(JSON.stringify(seen)).toContain(one.workspaceId);
    for (const secret of [other.workspaceId, other.userId, other.email]) expect(JSON.stringify(seen)).not.toContain(secret);
  });

  it('shows nothing at all outside of the two paths', async () => {
    const rows = await api.database.inWorkspace('00000000-0000-0000-0000-000000000000', (tx) =>
      tx.query<unknown[]>('SELECT * FROM memberships'),
    );
    expect(rows).toEqual([]);
  });

  it('lets a workspace neither write nor move a row into another', async () => {
    const insert = api.database.inWorkspace(one.workspaceId, (tx) =>
      tx.query(
        `INSERT INTO enrol_codes (id, workspace_id, code_sha256, created_by, expires_at) VALUES (gen_random_uuid(), $1, 'x', $2, now())`,
        [other.workspaceId, one.userId],
      ),
    );
    await expect(insert).rejects.toThrow(/row-level security/);
    const move = api.database.inWorkspace(one.workspaceId, (tx) =>
      tx.query(`UPDATE memberships SET workspace_id = $1`, [other.workspaceId]),
    );
    await expect(move).rejects.toThrow(/row-level security/);
    await api.database.inWorkspace(one.workspaceId, (tx) =>
      tx.query(`UPDATE memberships SET role = 'viewer' WHERE user_id = $1`, [other.userId]),
    );
    expect(await api.postgres.query('SELECT role FROM memberships WHERE user_id = $1', [other.userId])).toEqual([['owner']]);
  });

  it('leaves no workspace behind on a pooled connection', async () => {
    await api.database.inWorkspace(one.workspaceId, (tx) => tx.query('SELECT 1'));
    await api.database.asSystem('test', (tx) => tx.query('SELECT 1'));
    const settings = await Promise.all(
      Array.from({ length: 10 }, () =>
        api.database.inWorkspace(other.workspaceId, (tx) =>
          tx.query<{ workspace: string; system: string }[]>(
            `SELECT current_setting('app.workspace_id') AS workspace, current_setting('app.system') AS system`,
          ),
        ),
      ),
    );
    expect(new Set(settings.flat().map((row) => `${row.workspace} ${row.system}`))).toEqual(
      new Set([`${other.workspaceId} off`]),
    );
  });

  it('is above the application role, which owns nothing and has no special right', async () => {
    const role = api.postgres.appRole;
    expect(
      await api.postgres.query(
        'SELECT count(*)::int FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = $1',
        [role],
      ),
    ).toEqual([[0]]);
    expect(
      await api.postgres.query('SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = $1', [
        role,
      ]),
    ).toEqual([[false, false, false, false]]);
    const evil = (sql: string) => api.database.asSystem('test', (tx) => tx.query(sql));
    await expect(evil('ALTER TABLE memberships DISABLE ROW LEVEL SECURITY')).rejects.toThrow(/must be owner/);
    await expect(evil('DROP POLICY workspace_only ON memberships')).rejects.toThrow(/must be owner/);
    await expect(evil('CREATE TABLE mine (id int)')).rejects.toThrow(/permission denied/);
    await expect(evil('INSERT INTO migrations (timestamp, name) VALUES (1, $$x$$)')).rejects.toThrow(/permission denied/);
  });

  it.each([
    ['changed', `UPDATE audit_events SET action = 'nothing'`],
    ['deleted', 'DELETE FROM audit_events'],
    ['emptied', 'TRUNCATE audit_events'],
    ['deleted with its workspace', 'DELETE FROM workspaces'],
  ])('keeps audit rows from being %s', async (_how, sql) => {
    await expect(api.database.asSystem('test', (tx) => tx.query(sql))).rejects.toThrow(/permission denied/);
  });
});

describe('a transaction', () => {
  let api: RunningApi;
  beforeAll(async () => {
    api = await startApi({ worker: false });
  }, 60_000);
  afterAll(() => api?.stop());

  it('runs its actions once after the commit, when others can see the rows, and a failing one stops nobody', async () => {
    const seen: unknown[] = [];
    await api.database.asSystem('test', async (tx) => {
      await tx.query(`INSERT INTO server_state VALUES ('after-commit', '1')`);
      api.database.afterCommit(tx, () => Promise.reject(new Error('planted')));
      api.database.afterCommit(tx, async () => {
        seen.push(await api.postgres.query(`SELECT value FROM server_state WHERE key = 'after-commit'`));
      });
      expect(seen).toEqual([]);
    });
    expect(seen).toEqual([[['1']]]);
  });

  it('runs no action after a rollback', async () => {
    const seen: unknown[] = [];
    const failing = api.database.asSystem('test', async (tx) => {
      api.database.afterCommit(tx, () => void seen.push('never'));
      await tx.query('SELECT 1/0');
    });
    await expect(failing).rejects.toThrow(/division by zero/);
    expect(seen).toEqual([]);
  });

  it('answers UNAVAILABLE while PostgreSQL is away, and goes on when it is back', async () => {
    const person = await api.register();
    await api.postgres.postgres.halt();
    const away = await api.call('GET', '/v1/auth/me', { token: person.accessToken });
    expect(away).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    expect((await api.call('GET', '/health/live')).status).toBe(200);
    expect(await api.call('GET', '/health/ready')).toMatchObject({ status: 503, body: { checks: { postgres: 'down' } } });
    await api.postgres.postgres.start();
    expect((await api.call('GET', '/v1/auth/me', { token: person.accessToken })).status).toBe(200);
  });
});
