import { startPostgres } from '@rahatback/testing';
import type { PrivatePostgres } from '@rahatback/testing';
import pg from 'pg';
import { DataSource, getMetadataArgsStorage } from 'typeorm';
import { DOMAIN_MODULES } from '../../domain-modules.js';
import { MIGRATIONS } from '../../migrations/index.js';
import { createDatabase } from '../../testing/private-database.js';
import type { PrivateDatabase } from '../../testing/private-database.js';
import { migrateSchema } from './migrate-schema.js';
import { assertSchema } from './schema-check.js';

describe('migrations', () => {
  let postgres: PrivatePostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  }, 60_000);
  afterAll(() => postgres?.stop());

  const migrate = ({ ownerUrl, appRole }: PrivateDatabase) => migrateSchema({ ownerUrl, appRole, migrations: MIGRATIONS });
  const check = async ({ appUrl }: PrivateDatabase, migrations = MIGRATIONS): Promise<void> => {
    const client = new pg.Client({ connectionString: appUrl });
    await client.connect();
    try {
      await assertSchema(client, migrations);
    } finally {
      await client.end();
    }
  };

  it('run once, however many start them together, and again do nothing', async () => {
    const database = await createDatabase(postgres, { migrate: false });
    const applied = await Promise.all(Array.from({ length: 3 }, () => migrate(database)));
    expect(applied.flat()).toEqual(MIGRATIONS.map((migration) => migration.name));
    expect(await migrate(database)).toEqual([]);
    await expect(check(database)).resolves.toBeUndefined();
  });

  it('are refused on a schema from a newer program, and so is a start', async () => {
    const database = await createDatabase(postgres);
    await database.query(`INSERT INTO migrations (timestamp, name) VALUES (9999999999999, 'FromTheFuture9999999999999')`);
    await expect(migrate(database)).rejects.toMatchObject({
      code: 'BOOT_CHECK_SCHEMA',
      message: expect.stringContaining('FromTheFuture9999999999999'),
    });
    await expect(check(database)).rejects.toMatchObject({ code: 'BOOT_CHECK_SCHEMA', message: expect.stringContaining('newer') });
  });

  it('must have run before a start', async () => {
    const database = await createDatabase(postgres, { migrate: false });
    await expect(check(database)).rejects.toMatchObject({
      code: 'BOOT_CHECK_SCHEMA',
      message: expect.stringContaining('migrate'),
    });
  });

  it('refuse an application role that is missing, owns the schema, or is above row-level security', async () => {
    const database = await createDatabase(postgres, { migrate: false });
    const owner = new URL(database.ownerUrl).username;
    for (const appRole of ['nobody_here', owner, 'postgres']) {
      await expect(migrateSchema({ ownerUrl: database.ownerUrl, appRole, migrations: MIGRATIONS })).rejects.toMatchObject({
        code: 'BOOT_CHECK_SCHEMA',
      });
    }
  });

  it('leave the schema that the entities describe: every column exists, with the same type and nullability', async () => {
    expect(DOMAIN_MODULES.length).toBeGreaterThan(0); // importing them registered their entities
    const database = await createDatabase(postgres);
    const entities = getMetadataArgsStorage().tables.map((table) => table.target as () => void);
    const source = new DataSource({ type: 'postgres', url: database.ownerUrl, entities: [...new Set(entities)] });
    await source.initialize();
    try {
      const rows = await database.query(
        `SELECT table_name, column_name, udt_name, is_nullable FROM information_schema.columns WHERE table_schema = 'public'`,
      );
      const actual = new Map(
        rows.map(([table, column, type, nullable]) => [
          `${String(table)}.${String(column)}`,
          `${String(type)} ${String(nullable)}`,
        ]),
      );
      const types: Record<string, string> = { bigint: 'int8', integer: 'int4', int: 'int4', boolean: 'bool' };
      const drift = source.entityMetadatas.flatMap((entity) =>
        entity.columns.flatMap((column) => {
          const name = `${entity.tableName}.${column.databaseName}`;
          const type = source.driver.normalizeType(column);
          const described = `${types[type] ?? type.replace('timestamp with time zone', 'timestamptz')} ${column.isNullable ? 'YES' : 'NO'}`;
          return actual.get(name) === described
            ? []
            : [`${name}: entity ${described}, table ${actual.get(name) ?? 'has no such column'}`];
        }),
      );
      expect(drift).toEqual([]);
      expect(source.entityMetadatas.length).toBeGreaterThan(10);
    } finally {
      await source.destroy();
    }
  });
});
