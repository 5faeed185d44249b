import { AppError } from '@rahatback/contracts';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { readSchemaState, refuseDowngrade } from './schema-check.js';
import type { Migrations } from './schema-check.js';

/** "RahatBack" as a number; one lock for all migrate runs on a server's database. */
const MIGRATION_LOCK = 7_282_841_225;

export interface MigrateOptions {
  readonly ownerUrl: string;
  readonly appRole: string;
  readonly migrations: Migrations;
}

/**
 * Brings the schema up to this program's and grants the application role its rights. Any number of processes may run it at once: a session
 * lock lets one through, and the others find nothing left to do. Answers the names of the migrations that this call applied.
 * @throws AppError BOOT_CHECK_SCHEMA for a schema from a newer program, a missing role, or a role that owns the schema
 */
export async function migrateSchema({ ownerUrl, appRole, migrations }: MigrateOptions): Promise<string[]> {
  const client = new pg.Client({
    connectionString: ownerUrl,
    connectionTimeoutMillis: 10_000,
    application_name: 'rahatback migrate',
  });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    refuseDowngrade(await readSchemaState(client, migrations));
    await assertAppRole(client, appRole);
    const applied = await runMigrations(ownerUrl, migrations);
    await grantRights(client, appRole);
    return applied;
  } finally {
    await client.end(); // gives the lock back
  }
}

async function runMigrations(ownerUrl: string, migrations: Migrations): Promise<string[]> {
  const source = new DataSource({
    type: 'postgres',
    url: ownerUrl,
    migrations: [...migrations],
    migrationsTransactionMode: 'each',
    migrationsTableName: 'migrations',
    synchronize: false,
    logging: false,
  });
  await source.initialize();
  try {
    return (await source.runMigrations()).map((migration) => migration.name);
  } finally {
    await source.destroy();
  }
}

async function assertAppRole(client: pg.Client, appRole: string): Promise<void> {
  const { rows } = await client.query<{ privileged: boolean; owner: boolean }>(
    `SELECT rolsuper OR rolbypassrls AS privileged, rolname = current_user AS owner FROM pg_roles WHERE rolname = $1`,
    [appRole],
  );
  const role = rows[0];
  if (!role) {
    throw new AppError(
      'BOOT_CHECK_SCHEMA',
      `The role ${appRole} does not exist. Run: CREATE ROLE ${appRole} LOGIN PASSWORD '…'; then migrate again.`,
    );
  }
  if (role.owner || role.privileged) {
    throw new AppError(
      'BOOT_CHECK_SCHEMA',
      `The role ${appRole} owns the schema or is above row-level security. Name a plain role in DATABASE_APP_ROLE.`,
    );
  }
}

/** What an audit row says. Its place in the chain is the application's to give, once (a trigger sees to that); all the rest only to write. */
const AUDIT_FIELDS =
  'id, workspace_id, at, actor_type, actor_id, action, target_type, target_id, outcome, ip, correlation_id, detail';

/** The application reads and writes rows and nothing else; the audit trail it may only lengthen. */
async function grantRights(client: pg.Client, appRole: string): Promise<void> {
  const role = client.escapeIdentifier(appRole);
  const statements = [
    `REVOKE CREATE ON SCHEMA public FROM PUBLIC`,
    `GRANT USAGE ON SCHEMA public TO ${role}`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`,
    `REVOKE INSERT, UPDATE, DELETE ON migrations FROM ${role}`,
    `REVOKE INSERT, UPDATE, DELETE ON audit_events FROM ${role}`,
    `GRANT INSERT (${AUDIT_FIELDS}), UPDATE (sequence, previous_hash, hash) ON audit_events TO ${role}`,
    `REVOKE UPDATE, DELETE ON audit_checkpoints FROM ${role}`,
    `REVOKE DELETE ON workspaces FROM ${role}`, // would cascade to the audit trail
  ];
  await client.query('BEGIN');
  for (const statement of statements) await client.query(statement);
  await client.query('COMMIT');
}
