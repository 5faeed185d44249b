import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Client } from 'pg';
import { startPostgres, type PrivatePostgres } from '../servers/postgres.js';
import { clientBinDir } from '../servers/postgres-binaries.js';
import { createRealisticDatabase, REALISTIC_TABLES } from './realistic-database.js';

const TARGET_MB = 6;
const quoted = (table: string): string => table.replace(/^([^.]+)\.(.+)$/, '"$1"."$2"');

describe('realistic database', () => {
  let server: PrivatePostgres;
  let first: string;
  beforeAll(async () => {
    server = await startPostgres();
    first = await generate(1);
  }, 60_000);
  afterAll(() => server.stop());

  async function generate(seed: number): Promise<string> {
    const database = await server.createDatabase();
    const client = new Client({ connectionString: server.url(database) });
    await client.connect();
    try {
      await createRealisticDatabase(client, { targetMb: TARGET_MB, seed });
    } finally {
      await client.end();
    }
    return database;
  }

  const digests = async (database: string): Promise<Record<string, string>> => {
    const found: Record<string, string> = {};
    for (const table of REALISTIC_TABLES) {
      const sql = `SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM ${quoted(table)} t`;
      found[table] = String((await server.query(sql, { database }))[0]?.[0]);
    }
    const largeObjects = 'SELECT count(*) || md5(string_agg(md5(data), NULL ORDER BY loid, pageno)) FROM pg_largeobject';
    return { ...found, largeObjects: String((await server.query(largeObjects, { database }))[0]?.[0]) };
  };

  it('gives the same rows for the same seed, and others for another', async () => {
    const [same, other] = [await generate(1), await generate(2)];
    expect(await digests(same)).toEqual(await digests(first));
    const [one, two] = [await digests(first), await digests(other)];
    for (const table of ['public.Müşteri Tablosu', 'mağaza.events', 'largeObjects']) expect(two[table]).not.toBe(one[table]);
  });

  it('has at least the wanted bytes and rows in every table but the empty one', async () => {
    const sql = `SELECT sum(pg_table_size(oid)) FROM pg_class WHERE relkind = 'r'
      AND (relnamespace IN ('public'::regnamespace, '"mağaza"'::regnamespace) OR relname = 'pg_largeobject')`;
    expect(Number((await server.query(sql, { database: first }))[0]?.[0])).toBeGreaterThanOrEqual(TARGET_MB * 2 ** 20);
    const empty = Object.entries(await digests(first)).filter(([, digest]) => digest.startsWith('0'));
    expect(empty.map(([table]) => table)).toEqual(['mağaza.empty_table']);
  });

  it.each([
    ['enums', `SELECT 1 FROM pg_type WHERE typtype = 'e'`],
    ['a domain', `SELECT 1 FROM pg_type WHERE typtype = 'd' AND typnamespace = '"mağaza"'::regnamespace`],
    ['a composite type', `SELECT 1 FROM pg_class WHERE relkind = 'c' AND relnamespace = '"mağaza"'::regnamespace`],
    ['range partitions and a default one', `SELECT 1 FROM pg_inherits GROUP BY inhparent HAVING count(*) = 13`],
    ['rows in the default partition', `SELECT 1 FROM "mağaza".order_other`],
    ['a view', `SELECT 1 FROM pg_views WHERE schemaname = 'mağaza'`],
    ['a filled materialized view', `SELECT 1 FROM "mağaza".monthly_sales`],
    ['foreign keys', `SELECT 1 FROM pg_constraint WHERE contype = 'f'`],
    ['identity columns', `SELECT 1 FROM pg_attribute WHERE attidentity = 'a'`],
    ['generated columns', `SELECT 1 FROM pg_attribute WHERE attgenerated = 's'`],
    ['a sequence of its own', `SELECT 1 FROM pg_sequences WHERE sequencename = 'Fatura No' AND last_value = 4242`],
    ['a trigger', `SELECT 1 FROM pg_trigger WHERE tgname = 'products_touch'`],
    ['extensions', `SELECT 1 FROM pg_extension WHERE extname IN ('citext', 'pg_trgm')`],
    ['a policy', `SELECT 1 FROM pg_policies`],
    [
      'jsonb, bytea, arrays and ranges',
      `SELECT 1 FROM pg_attribute WHERE atttypid IN ('jsonb'::regtype, 'bytea'::regtype, 'text[]'::regtype, 'tstzrange'::regtype) HAVING count(DISTINCT atttypid) = 4`,
    ],
  ])('has %s', async (_what, sql) => {
    expect(await server.query(sql, { database: first })).not.toEqual([]);
  });

  it('survives pg_dump and pg_restore', async () => {
    const [bin, copy] = [clientBinDir(server.major), await server.createDatabase()];
    const dump = execFileSync(join(bin, 'pg_dump'), ['-Fc'], { env: server.toolEnv(first), maxBuffer: 2 ** 28 });
    execFileSync(join(bin, 'pg_restore'), ['--exit-on-error', '-d', copy], { env: server.toolEnv(), input: dump });
    expect(await digests(copy)).toEqual(await digests(first));
  }, 60_000);
});
