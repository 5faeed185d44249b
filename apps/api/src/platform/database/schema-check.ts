import { AppError } from '@rahatback/contracts';
import type { MigrationInterface } from 'typeorm';

/** What both a pg client and a TypeORM runner can do. */
export interface SqlRunner {
  query(sql: string, parameters?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}

/** Every migration of this program, oldest first. */
export type Migrations = readonly (new () => MigrationInterface)[];

export interface SchemaState {
  /** Known to this program, not yet in the database. */
  readonly pending: readonly string[];
  /** In the database, not known to this program: it was migrated by a newer one. */
  readonly unknown: readonly string[];
}

export async function readSchemaState(client: SqlRunner, migrations: Migrations): Promise<SchemaState> {
  const { rows: tables } = await client.query(`SELECT to_regclass('public.migrations') IS NOT NULL AS present`);
  const { rows } = tables[0]?.['present'] ? await client.query('SELECT name FROM public.migrations') : { rows: [] };
  const applied = new Set(rows.map((row) => String(row['name'])));
  const known: string[] = migrations.map((migration) => migration.name);
  return { pending: known.filter((name) => !applied.has(name)), unknown: [...applied].filter((name) => !known.includes(name)) };
}

/** @throws AppError BOOT_CHECK_SCHEMA when the database was migrated by a newer program: going back would lose data. */
export function refuseDowngrade({ unknown }: SchemaState): void {
  if (unknown.length === 0) return;
  throw new AppError(
    'BOOT_CHECK_SCHEMA',
    `The database was migrated by a newer RahatBack (${unknown.join(', ')}), and a downgrade is refused. Start that version or a newer one, or restore the database from before the upgrade.`,
  );
}

/** @throws AppError BOOT_CHECK_SCHEMA unless the schema is exactly this program's. */
export async function assertSchema(client: SqlRunner, migrations: Migrations): Promise<void> {
  const state = await readSchemaState(client, migrations);
  refuseDowngrade(state);
  if (state.pending.length > 0) {
    throw new AppError(
      'BOOT_CHECK_SCHEMA',
      `The database lacks ${state.pending.length} migration(s). Run the migrate entry, then start again.`,
    );
  }
}
