import type { QueryRunner } from 'typeorm';

const WORKSPACE_ONLY = `(workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid OR current_setting('app.system', true) = 'on')`;

/** Row-level security, forced, with one policy: the transaction's workspace, or the explicit system path. For every table with a `workspace_id`. */
export async function guardTenantTables(runner: QueryRunner, tables: readonly string[]): Promise<void> {
  for (const table of tables) {
    await runner.query(`ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`);
    await runner.query(`ALTER TABLE ${table} FORCE ROW LEVEL SECURITY`);
    await runner.query(`CREATE POLICY workspace_only ON ${table} USING ${WORKSPACE_ONLY} WITH CHECK ${WORKSPACE_ONLY}`);
  }
}

/** What `down` of every migration answers. */
export const refuseDowngrade = (): Promise<never> =>
  Promise.reject(
    new Error('A downgrade would lose data and is refused. Restore the database from a backup made before the upgrade.'),
  );
