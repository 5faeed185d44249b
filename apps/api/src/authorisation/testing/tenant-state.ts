import type { PrivateDatabase } from '../../testing/private-database.js';

/** Rows that are no workspace's, or that nothing of a request reaches. */
const APART = ['migrations', 'server_state'];

export interface Look {
  /** All tables but the audit trail. */
  readonly everything: string;
  /** One workspace, with its audit trail. */
  readonly own: string;
}

const sumWhere = (where: string): string =>
  `md5(coalesce(string_agg(t.xmin::text || t::text, '|' ORDER BY t::text) FILTER (WHERE ${where}), ''))`;

/** What PostgreSQL holds, above row-level security: to compare, to search, and to put back. */
export class TenantState {
  private constructor(
    private readonly postgres: PrivateDatabase,
    private readonly tables: readonly string[],
    private readonly tenantTables: readonly string[],
  ) {}

  /** Keeps the present rows, which `reset` brings back. */
  static async keep(postgres: PrivateDatabase): Promise<TenantState> {
    const rows = await postgres.query(
      `SELECT t.tablename, EXISTS (SELECT 1 FROM information_schema.columns c
         WHERE c.table_schema = 'public' AND c.table_name = t.tablename AND c.column_name = 'workspace_id')
       FROM pg_tables t WHERE t.schemaname = 'public' ORDER BY 1`,
    );
    const tables = rows.map(([name]) => String(name)).filter((name) => !APART.includes(name));
    const state = new TenantState(
      postgres,
      tables,
      rows.filter(([, isTenant]) => isTenant === true).map(([name]) => String(name)),
    );
    const copies = tables.map((table) => `EXECUTE 'CREATE TABLE kept.${table} AS TABLE public.${table}';`).join('\n');
    await postgres.query(`DO $$ BEGIN CREATE SCHEMA kept; ${copies} END $$`);
    return state;
  }

  /** Everything as it was kept. Sessions of agents and people that have begun since are forgotten. */
  async reset(): Promise<void> {
    const moves = this.tables.map((table) => `DELETE FROM public.${table}; INSERT INTO public.${table} TABLE kept.${table};`);
    await this.postgres.query(
      `DO $$ BEGIN PERFORM set_config('session_replication_role', 'replica', true); ${moves.join('\n')} END $$`,
    );
  }

  /** Digests with the version of every row: a row that was written over with itself is seen, too. */
  async look(workspaceId: string): Promise<Look> {
    const people = `id IN (SELECT user_id FROM memberships WHERE workspace_id = '${workspaceId}')`;
    const own = (table: string): string => (this.tenantTables.includes(table) ? `workspace_id = '${workspaceId}'` : 'false');
    const whose = (table: string): string =>
      table === 'users' ? people : table === 'workspaces' ? `id = '${workspaceId}'` : own(table);
    const each = this.tables.map((table, index) => {
      const all = table === 'audit_events' ? 'false' : 'true';
      return `SELECT ${index} AS place, ${sumWhere(all)}, ${sumWhere(whose(table))} FROM public.${table} t`;
    });
    // Said, because PostgreSQL may read several tables at once and give the first that is ready first.
    const rows = await this.postgres.query(`${each.join(' UNION ALL ')} ORDER BY place`);
    return { everything: rows.map(([, all]) => all).join('\n'), own: rows.map(([, , part]) => part).join('\n') };
  }

  /** Names of the tables in which two looks differ. */
  changed(before: Look, after: Look): string {
    const [was, is] = [before.everything.split('\n'), after.everything.split('\n')];
    return this.tables.filter((_table, index) => was[index] !== is[index]).join(', ');
  }

  /** Every text of at least eight characters in a workspace's rows, at any depth, that no row of the other one holds. */
  async secretsOf(workspaceId: string, otherId: string): Promise<ReadonlySet<string>> {
    const [own, other] = [await this.texts(workspaceId), await this.texts(otherId)];
    return new Set([...own].filter((text) => text.length >= 8 && !other.has(text)));
  }

  private async texts(workspaceId: string): Promise<Set<string>> {
    const each = this.tenantTables.map(
      (table) =>
        `SELECT jsonb_path_query(to_jsonb(t), 'strict $.**') AS v FROM public.${table} t WHERE workspace_id = '${workspaceId}'`,
    );
    const people = `SELECT jsonb_path_query(to_jsonb(u), 'strict $.**') FROM users u
      WHERE id IN (SELECT user_id FROM memberships WHERE workspace_id = '${workspaceId}')`;
    const rows = await this.postgres.query(
      `SELECT DISTINCT v #>> '{}' FROM (${each.join(' UNION ALL ')} UNION ALL ${people}) found WHERE jsonb_typeof(v) = 'string'`,
    );
    return new Set(rows.map(([text]) => String(text)));
  }
}
