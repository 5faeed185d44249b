import { startPostgres, type PrivatePostgres } from '@rahatback/testing';
import { BackupHarness } from '../backup-harness.suite.js';
import type { ClientTools } from '../engine/database-engine.js';
import { postgresEngine } from '../engine/postgres/postgres-engine.js';
import { everyTypeSql } from './every-type.suite.js';
import { hostileSections } from './hostile-schema.suite.js';
import { identifier, oddNamesSql } from './odd-names.suite.js';
import { connected, roundTrip, sayFigure, toolsOf, type RoundTrip } from './round-trip.suite.js';

const DATABASE_NAMES = [
  'a=b $(id)',
  'what? #1',
  'new\nline',
  '🍾 İğdır ı',
  '\\.',
  `${'ş'.repeat(31)}x`,
  'it\'s "x"',
  '$$;DROP',
  'template2',
  '..',
];

const ENCODINGS: readonly (readonly [encoding: string, name: string, text: string])[] = [
  ['LATIN5', 'müşteri ığİ \u0080', 'İğdır ışık ÇÖŞÜ'],
  ['WIN1254', 'müşteri ığİ', 'İğdır – „€“ ŞŒ'],
  ['LATIN1', 'café \u0085\u009f', 'naïve ÿ'],
  ['WIN1251', 'таблица', 'Съешь ещё'],
  ['EUC_JP', '表の名前', '日本語テキスト ソ 能'],
  ['EUC_KR', '테이블', '한국어'],
  ['EUC_CN', '表名', '简体中文'],
  ['KOI8U', 'таблиця', 'їжак ґ'],
];

/** The row takes 100 MB as text: a copy of it would show. */
const MAX_GROWTH_BYTES = 100 * 1024 * 1024;

/** How much memory this process took beyond what it had. */
class MemoryPeak {
  private readonly before = process.memoryUsage().rss;
  private peak = this.before;
  private readonly timer = setInterval(() => {
    this.peak = Math.max(this.peak, process.memoryUsage().rss);
  }, 10);

  get growthBytes(): number {
    return this.peak - this.before;
  }

  stop(): void {
    clearInterval(this.timer);
  }
}

// Half a minute in all; more where others use the machine too.
jest.setTimeout(180_000);

describe('hostile databases', () => {
  let server: PrivatePostgres;
  let harness: BackupHarness;
  let tools: ClientTools;
  beforeAll(async () => {
    // As it is installed: locks for a few thousand objects.
    server = await startPostgres({ settings: { max_connections: '100' } });
    harness = await BackupHarness.start(server);
    tools = await toolsOf(server.major);
  }, 60_000);
  afterAll(async () => {
    await harness.stop();
    await server.stop();
  });

  let copies = 0;
  const copyOf = async (database: string, name: string, copy = `copy_${(copies += 1)}`): Promise<RoundTrip> => {
    const result = await roundTrip(harness, database, { dumpTools: tools, copy });
    sayFigure(`PostgreSQL ${tools.version}, ${name}`, result);
    expect(result.different).toEqual([]);
    expect(result.secondOpinion.different).toEqual([]);
    expect(result.schemaDifference).toBeNull();
    return result;
  };
  const made = async (...statements: string[]): Promise<string> => {
    const database = await server.createDatabase();
    for (const sql of statements) await harness.query(database, sql);
    return database;
  };

  it('odd names everywhere', async () => {
    const { tables, backup } = await copyOf(await made(oddNamesSql()), 'odd names');
    expect(tables).toBeGreaterThan(80);
    expect(backup.facts.tables.map(({ table }) => table)).toEqual(
      expect.arrayContaining(['new\nline', '\\.', '$$', 'COPY x FROM stdin;']),
    );
  });

  it('odd database names', async () => {
    for (const name of DATABASE_NAMES) {
      await server.createDatabase(name);
      await harness.query(name, `CREATE TABLE ${identifier(name)} AS SELECT 1 AS a`);
      const { tables } = await copyOf(name, `database ${JSON.stringify(name)}`, `${[...name].slice(0, 14).join('')}-new`);
      expect(tables).toBe(1);
    }
  });

  it('every type', async () => {
    const { tables } = await copyOf(await made(everyTypeSql(server.major)), 'every type');
    expect(tables).toBeGreaterThan(60);
  });

  it('everything that a schema may hold', async () => {
    const database = await made(...hostileSections(server.major).map(({ sql }) => sql));
    const { backup, tables } = await copyOf(database, 'everything');
    expect(tables).toBeGreaterThanOrEqual(28);
    expect(backup.facts.largeObjects).toEqual({ count: 305, bytes: 300 * 16 + 3_600_000 + 65_536 + 4 + 3_000_012 });
  });

  it('1,000 tables', async () => {
    const database = await made(
      `DO $$ BEGIN FOR i IN 1..1000 LOOP EXECUTE format('CREATE TABLE t_%s (id serial PRIMARY KEY, t text)', i); EXECUTE format('INSERT INTO t_%s (t) SELECT ''row '' || g FROM generate_series(1, %s) g', i, i % 5); END LOOP; END $$`,
    );
    expect((await copyOf(database, '1,000 tables')).tables).toBe(1_000);
  });

  it('a row of 50 MB', async () => {
    const database = await made(
      'CREATE TABLE large (id int, b bytea, t text); ALTER TABLE large ALTER b SET STORAGE EXTERNAL, ALTER t SET STORAGE EXTERNAL',
      `INSERT INTO large SELECT 1, decode(repeat('00ff5c0a', ${50_000_000 / 4}), 'hex'), NULL`,
      `INSERT INTO large SELECT 2, NULL, repeat(E'\\.\n\tşx', ${50_000_000 / 8})`,
    );
    const peak = new MemoryPeak();
    const { tables, backup } = await copyOf(database, 'rows of 50 MB').finally(() => peak.stop());
    process.stdout.write(
      `a dump with rows of 50 MB: ${Math.round(backup.manifest.dumpBytes / 1e6)} MB, at most ${Math.round(peak.growthBytes / 1e6)} MB of memory\n`,
    );
    expect(tables).toBe(1);
    expect(peak.growthBytes).toBeLessThan(MAX_GROWTH_BYTES);
  });

  it('more tables than the server has locks for end in a sentence that says what to raise', async () => {
    const database = await made(
      `DO $$ BEGIN FOR i IN 1..300 LOOP EXECUTE format('CREATE TABLE t_%s (id serial PRIMARY KEY, t text)', i); END LOOP; END $$`,
    );
    const narrow = await startPostgres({
      settings: { max_connections: '10', max_locks_per_transaction: '10', max_worker_processes: '1', max_wal_senders: '1' },
    });
    try {
      const { manifest } = await harness.backUp(database, { tools: [tools] });
      const into = await BackupHarness.start(narrow);
      const restore = harness.restore(manifest.backupId, 'narrow', { access: into.access('postgres'), tools: [tools] });
      await expect(restore).rejects.toMatchObject({
        code: 'RESTORE_FAILED',
        message: expect.stringContaining('Raise max_locks_per_transaction') as string,
      });
      expect(await into.databases()).toEqual([]);
      await narrow.createDatabase('wide');
      for (let from = 1; from < 1_500; from += 50)
        await into.query('wide', Array.from({ length: 50 }, (_, at) => `CREATE TABLE t_${from + at} (a int)`).join('; '));
      await expect(into.backUp('wide', { tools: [tools] })).rejects.toMatchObject({
        code: 'DUMP_FAILED',
        message: expect.stringContaining('Raise max_locks_per_transaction') as string,
      });
      await into.stop();
    } finally {
      await narrow.stop();
    }
  });

  it('a copy that subscribes somewhere is dropped when it differs, and the slot of the source stays', async () => {
    const database = await made(
      `CREATE TABLE t AS SELECT 1 AS a`,
      `CREATE SUBSCRIPTION "sub ""z" CONNECTION 'host=127.0.0.1 port=1 dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = 'of_the_source')`,
      `CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no %', tg_tag; END $$`,
      `CREATE EVENT TRIGGER refuse ON ddl_command_start EXECUTE FUNCTION refuse()`,
    );
    const { manifest } = await harness.backUp(database, { tools: [tools] });
    const lying = {
      ...postgresEngine,
      digestDatabase: async (...args: Parameters<typeof postgresEngine.digestDatabase>) => {
        await harness.query(args[0].connection.database, 'DELETE FROM t');
        return postgresEngine.digestDatabase(...args);
      },
    };
    const before = await harness.databases();
    const restore = harness.restore(manifest.backupId, 'subscribed', { tools: [tools], engine: lying });
    await expect(restore).rejects.toMatchObject({ code: 'RESTORE_DIGEST_MISMATCH' });
    expect(await harness.databases()).toEqual(before);
  });

  it('an empty database, and tables without rows or columns', async () => {
    expect((await copyOf(await made(), 'empty database')).tables).toBe(0);
    const empty = await made('CREATE TABLE a (id int); CREATE TABLE b (); CREATE TABLE c (id serial PRIMARY KEY, t text)');
    const { tables, backup } = await copyOf(empty, 'no rows');
    expect(tables).toBe(3);
    expect(backup.facts.tables.every(({ rows }) => rows === 0)).toBe(true);
  });

  it.each(ENCODINGS)('encoding %s', async (encoding, name, text) => {
    const database = `encoded_${encoding.toLowerCase()}`;
    // A name of the server's that has no meaning in this encoding.
    await server.query(`CREATE ROLE "ğ of ${encoding}"`);
    await server.query(`CREATE DATABASE ${database} TEMPLATE template0 ENCODING '${encoding}' LOCALE 'C'`);
    const odd = identifier(name);
    await harness.query(
      database,
      `CREATE SCHEMA ${odd}; CREATE TABLE ${odd}.${odd} (${odd} text, b bytea); INSERT INTO ${odd}.${odd} VALUES ('${text}', '\\xff00'), ('${text} 2', NULL); CREATE SEQUENCE ${odd}.s; SELECT nextval('${odd}.s'); COMMENT ON TABLE ${odd}.${odd} IS '${text}'; SELECT lo_from_bytea(5, '\\xfffe')`,
    );
    const { backup } = await copyOf(database, `encoding ${encoding}`);
    expect(backup.facts).toMatchObject({ database: { encoding }, tables: [{ schema: name, table: name, columns: [name, 'b'] }] });
  });

  it('a database that takes any bytes', async () => {
    await server.query(`CREATE DATABASE any_bytes TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'`);
    await connected(harness, 'any_bytes', async (client) => {
      await client.query('SET bytea_output = hex');
      await client.query(
        `CREATE TABLE "ünlü" (t text); CREATE FUNCTION raw(bytea) RETURNS text LANGUAGE sql AS $$ SELECT convert_from($1, 'SQL_ASCII') $$`,
      );
      for (const bytes of ['fffe80', 'c3', 'e9', 'f09f8d', '5c2e', '0d0a5c2e0a80'])
        await client.query(`INSERT INTO "ünlü" VALUES (raw('\\x${bytes}'))`);
      await client.query(`DO $$ BEGIN EXECUTE 'COMMENT ON TABLE "ünlü" IS ' || quote_literal(raw('\\xff27e9')); END $$`);
    });
    expect((await copyOf('any_bytes', 'SQL_ASCII')).tables).toBe(1);
  });

  it('a database with settings of its own', async () => {
    const database = await made(
      `CREATE TABLE t (a text, i interval, at timestamptz, b bytea, l text[]); INSERT INTO t VALUES (E'\\\\.\\\\', '-1 mon +2 days -03:00', '2026-10-25 03:30+03', '\\x5c27', ARRAY[NULL, 'NULL', 'x']); CREATE VIEW v AS SELECT E'a\\\\b''c' AS e; COMMENT ON TABLE t IS E'back\\\\slash'; SELECT lo_from_bytea(9, '\\x5c27ff'); CREATE FUNCTION f() RETURNS text LANGUAGE sql AS E'SELECT E''\\\\\\\\''::text'`,
    );
    const settings = [
      'standard_conforming_strings TO off',
      "IntervalStyle TO 'sql_standard'",
      "DateStyle TO 'SQL, DMY'",
      'array_nulls TO off',
      "bytea_output TO 'escape'",
      'default_transaction_read_only TO on',
      "TimeZone TO 'Asia/Tokyo'",
      'quote_all_identifiers TO on',
      "statement_timeout TO '1h'",
      'search_path TO \'a b\', "$user"',
      "lc_monetary TO 'C.UTF-8'",
      'row_security TO off',
      "my.setting TO 'a=b,\\c'",
      "client_encoding TO 'LATIN1'",
    ];
    for (const setting of settings) await server.query(`ALTER DATABASE ${database} SET ${setting}`);
    const { backup } = await copyOf(database, 'settings', 'with_settings');
    expect(backup.facts.largeObjects).toEqual({ count: 1, bytes: 3 });
    const text =
      'SELECT unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase WHERE datname = $1 ORDER BY 1';
    expect(await server.query(text, { values: ['with_settings'] })).toEqual(await server.query(text, { values: [database] }));
  });
});
