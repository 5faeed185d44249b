import { randomBytes } from 'node:crypto';
import { startPostgres, testSecret } from '@rahatback/testing';
import type { PrivatePostgres } from '@rahatback/testing';
import { MIGRATIONS } from '../migrations/index.js';
import { migrateSchema } from '../platform/database/migrate-schema.js';

export interface PrivateDatabase {
  readonly postgres: PrivatePostgres;
  readonly name: string;
  /** As the role that owns the schema; it is no superuser. */
  readonly ownerUrl: string;
  /** As the application role. */
  readonly appUrl: string;
  readonly appRole: string;
  /** One statement as the superuser, above row-level security. */
  query(sql: string, values?: unknown[]): Promise<unknown[][]>;
}

/** A database with an owner and an application role, on a given or a private PostgreSQL; migrated unless told otherwise. */
export async function createDatabase(postgres: PrivatePostgres, options: { migrate?: boolean } = {}): Promise<PrivateDatabase> {
  const suffix = randomBytes(5).toString('hex');
  const roles = { owner: `owner_${suffix}`, app: `app_${suffix}` };
  const password = testSecret('server-database', { fresh: true });
  for (const role of Object.values(roles)) {
    await postgres.query(`CREATE ROLE ${role} LOGIN PASSWORD '${password}' NOSUPERUSER NOBYPASSRLS NOCREATEROLE`);
  }
  const name = await postgres.createDatabase(`rahatback_${suffix}`);
  await postgres.query(`ALTER DATABASE ${name} OWNER TO ${roles.owner}`);
  const url = (role: string): string => `postgresql://${role}:${password}@127.0.0.1:${postgres.port}/${name}`;
  const database: PrivateDatabase = {
    postgres,
    name,
    ownerUrl: url(roles.owner),
    appUrl: url(roles.app),
    appRole: roles.app,
    query: (sql, values = []) => postgres.query(sql, { database: name, values }),
  };
  if (options.migrate !== false)
    await migrateSchema({ ownerUrl: database.ownerUrl, appRole: database.appRole, migrations: MIGRATIONS });
  return database;
}

/** `createDatabase` on a PostgreSQL of its own. */
export async function startDatabase(options: { migrate?: boolean } = {}): Promise<PrivateDatabase & { stop(): Promise<void> }> {
  const postgres = await startPostgres();
  const database = await createDatabase(postgres, options);
  return { ...database, stop: () => postgres.stop() };
}
