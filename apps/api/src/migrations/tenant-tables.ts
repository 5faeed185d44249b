import type { QueryRunner } from 'typeorm';

/** The settings are read once a statement, as subqueries are: read for each row they were most of what a count cost. */
const WORKSPACE_ONLY = `(workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid) OR (SELECT current_setting('app.system', true) = 'on'))`;

/** Row-level security, forced, with one policy: the transaction's workspace, or the explicit system path. For every table with a `workspace_id`. */
export async function guardTenantTables(runner: QueryRunner, tables: readonly string[]): Promise<void> {
  for (const table of tables) {
    await runner.query(`ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`);
    await runner.query(`ALTER TABLE ${table} FORCE ROW LEVEL SECURITY`);
    await runner.query(`CREATE POLICY workspace_only ON ${table} USING ${WORKSPACE_ONLY} WITH CHECK ${WORKSPACE_ONLY}`);
  }
}

/** Gives every table that is guarded already the policy as it is above; workspaces themselves are guarded by their id, in a few rows. */
export async function renewTenantPolicies(runner: QueryRunner): Promise<void> {
  const guarded = (await runner.query(
    `SELECT quote_ident(tablename) AS name FROM pg_policies WHERE schemaname = 'public' AND policyname = 'workspace_only' AND tablename <> 'workspaces'`,
  )) as { name: string }[];
  for (const { name } of guarded)
    await runner.query(`ALTER POLICY workspace_only ON ${name} USING ${WORKSPACE_ONLY} WITH CHECK ${WORKSPACE_ONLY}`);
}

/** What `down` of every migration answers. */
export const refuseDowngrade = (): Promise<never> =>
  Promise.reject(
    new Error('A downgrade would lose data and is refused. Restore the database from a backup made before the upgrade.'),
  );
