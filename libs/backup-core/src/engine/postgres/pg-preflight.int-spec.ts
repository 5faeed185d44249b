import type { PreflightFinding } from '@rahatback/contracts';
import { availableMajors, clientBinDir, freePort, missingMajor, startPostgres, type PrivatePostgres } from '@rahatback/testing';
import { Client } from 'pg';
import { BackupHarness } from '../../backup-harness.suite.js';
import type { DumpFacts } from '../../dump/dump-facts.js';
import type { DatabaseAccess, PreflightRequest } from '../database-engine.js';
import { postgresEngine } from './postgres-engine.js';

const OTHER = 18;

describe('what a restore needs', () => {
  let server: PrivatePostgres;
  let harness: BackupHarness;
  let facts: DumpFacts;
  let backupId: string;
  let source: string;
  beforeAll(async () => {
    server = await startPostgres();
    harness = await BackupHarness.start(server);
    for (const sql of ["CREATE ROLE app LOGIN PASSWORD 'app-pass' CREATEDB", 'CREATE ROLE reader']) await server.query(sql);
    source = await server.createDatabase('shop');
    await server.query('ALTER DATABASE shop OWNER TO app; ');
    await harness.query(
      source,
      `GRANT ALL ON SCHEMA public TO app; SET ROLE app;
       CREATE TABLE customers (id int PRIMARY KEY); CREATE TABLE orders (id int, customer int REFERENCES customers);
       INSERT INTO customers SELECT generate_series(1, 100); INSERT INTO orders SELECT i, i FROM generate_series(1, 100) i;
       GRANT SELECT ON orders TO reader; RESET ROLE; CREATE EXTENSION citext`,
    );
    const backup = await harness.backUp(source);
    facts = (await harness.open(backup.manifest.backupId)).facts;
    backupId = backup.manifest.backupId;
  }, 60_000);
  afterAll(async () => {
    await harness.stop();
    await server.stop();
  });

  const examine = async (change: Partial<PreflightRequest> = {}, access: DatabaseAccess = harness.access(source)) => {
    const request = { targetDatabase: 'free_name', liveDatabase: null, selection: [], facts, tools: harness.tools, ...change };
    const found = await postgresEngine.examine(access, request);
    return {
      found,
      of: (subject: PreflightFinding['subject']) => found.filter((finding) => finding.subject === subject),
      bad: found.filter(({ severity }) => severity !== 'ok').map(({ subject, severity }) => `${subject} ${severity}`),
    };
  };
  const accessOf = (
    other: PrivatePostgres,
    username = other.superuser,
    password: string | null = other.password,
  ): DatabaseAccess => ({
    connection: { ...harness.connection('postgres'), port: other.port, username },
    password,
  });

  it('is all there on the server of the backup', async () => {
    const { bad, found, of } = await examine();
    expect(bad).toEqual([]);
    expect(found.map(({ subject }) => subject).sort()).toEqual(
      ['connection', 'encoding', 'extensions', 'privileges', 'roles', 'space', 'target', 'tools', 'version'].sort(),
    );
    expect(of('space')[0]?.details).toMatchObject({
      neededBytes: expect.any(Number) as number,
      freeBytes: expect.any(Number) as number,
    });
    expect(await server.query("SELECT count(*) FROM pg_collation WHERE collname = 'rahatback_preflight'")).toEqual([['0']]);
  });

  it('names a server that is away, and a name that is taken or too long', async () => {
    const port = await freePort();
    const away = await examine(
      { selection: [{ schema: 'public', table: 'orders' }] },
      { connection: { ...harness.connection(source), port }, password: 'x' },
    );
    expect(away.bad).toEqual(['connection blocker', 'selection warning']);
    expect(away.of('connection')[0]?.details).toEqual({ code: 'DB_UNREACHABLE' });
    expect((await examine({ targetDatabase: source })).bad).toEqual(['target blocker']);
    expect((await examine({ targetDatabase: 'ş'.repeat(32) })).bad).toEqual(['target blocker']);
    expect((await examine({ liveDatabase: 'nowhere' })).bad).toEqual(['target blocker']);
    expect((await examine({ tools: [] })).bad).toEqual(['tools blocker']);
  });

  it('names roles, extensions with their packages, locales and disk space that lack', async () => {
    const lacking: DumpFacts = {
      ...facts,
      roles: ['app', 'ghost "1"'],
      extensions: ['citext', 'postgis'],
      database: facts.database && { ...facts.database, collate: 'xx_XX.UTF-8', ctype: 'xx_XX.UTF-8' },
      largeObjects: { count: 1, bytes: 2 ** 52 },
    };
    const { bad, of } = await examine({ facts: lacking });
    expect(bad.sort()).toEqual(['encoding blocker', 'extensions blocker', 'roles blocker', 'space blocker']);
    expect(of('roles')[0]?.details).toMatchObject({ statements: ['CREATE ROLE "ghost ""1""";'] });
    expect(of('extensions')[0]?.message).toContain(`postgis (postgresql-${server.major}-postgis-3)`);
    expect(of('encoding')[0]?.message).toContain('xx_XX.UTF-8');
    const icu = facts.database && { ...facts.database, provider: 'icu' as const, icuLocale: 'tr-TR' };
    expect((await examine({ facts: { ...facts, database: icu } })).of('encoding')[0]?.severity).toMatch(/ok|blocker/);
    expect((await examine({ facts: { ...facts, database: null } })).bad).toEqual(['encoding warning']);
  });

  it('says what a user lacks', async () => {
    await server.query("CREATE ROLE plain LOGIN PASSWORD 'plain-pass'");
    const plain = accessOf(server, 'plain', 'plain-pass');
    const { bad, of } = await examine({ liveDatabase: source }, plain);
    expect(bad.filter((line) => line !== 'space warning')).toEqual(['privileges blocker', 'roles warning']);
    expect(of('privileges')[0]?.details).toEqual({ statements: ['ALTER ROLE "plain" CREATEDB;', 'GRANT "app" TO "plain";'] });
    const pinned = await examine({ facts: { ...facts, extensions: ['adminpack', 'pageinspect'] } }, plain);
    expect(
      pinned
        .of('privileges')
        .map(({ message }) => message)
        .join(),
    ).toContain('Only a superuser can create the extensions');
  });

  it('names who is connected to the live database, and what forbids a swap', async () => {
    expect((await examine({ liveDatabase: source })).of('sessions').map(({ severity }) => severity)).toEqual(['ok']);
    const busy = new Client({ connectionString: server.url(source), application_name: 'till' });
    await busy.connect();
    const { of, bad } = await examine({ liveDatabase: source });
    expect(of('sessions')[0]).toMatchObject({
      severity: 'warning',
      details: { sessions: [{ application: 'till', sessions: 1 }] },
    });
    expect(bad).toEqual(['sessions warning']);
    await busy.end();
  });

  it('names what a selection asks for in vain, and the foreign keys that it may lose', async () => {
    expect((await examine({ selection: [{ schema: 'public', table: 'nope' }] })).of('selection')[0]).toMatchObject({
      severity: 'blocker',
      details: { unknown: ['table public.nope'] },
    });
    const { of } = await examine({ selection: [{ schema: 'public', table: 'orders' }] });
    expect(of('selection')[0]?.details).toEqual({ foreignKeys: ['public.orders orders_customer_fkey'] });
    expect((await examine({ selection: [{ schema: 'public', table: 'customers' }] })).of('selection')[0]?.severity).toBe('ok');
  });

  it('refuses an older major', async () => {
    const major = availableMajors()[0] ?? server.major;
    if (major >= server.major) throw new Error(`NOT PROVEN: no PostgreSQL older than ${server.major}: ${missingMajor(13) ?? ''}`);
    const old = await startPostgres({ version: major });
    const { of } = await examine({}, accessOf(old));
    expect(of('version')[0]).toMatchObject({ severity: 'blocker', details: { code: 'VERSION_DOWNGRADE' } });
    expect(of('roles')[0]?.severity).toBe('blocker');
    await old.stop();
  }, 60_000);

  it('is enough for an owner that may create databases, on another server of a newer major: restored, swapped in and back', async () => {
    const newer = await startPostgres({ version: OTHER });
    for (const sql of ["CREATE ROLE app LOGIN PASSWORD 'app-pass' CREATEDB", 'CREATE DATABASE shop OWNER app TEMPLATE template0'])
      await newer.query(sql);
    const access = accessOf(newer, 'app', 'app-pass');
    const tools = await postgresEngine.findTools({ extraFolders: [clientBinDir(OTHER), clientBinDir()] });
    const before = await examine({ liveDatabase: 'shop', tools }, access);
    expect(before.bad.filter((line) => !/space|tools|roles warning/.test(line))).toEqual(['roles blocker']);
    for (const statement of before.of('roles').flatMap(({ details }) => details?.statements as string[]))
      await newer.query(statement);
    expect(
      (await examine({ liveDatabase: 'shop', tools }, access)).bad.filter((line) => !/space|tools|roles warning/.test(line)),
    ).toEqual([]);
    const { tables } = await harness.restore(backupId, 'shop_back', { access, tools, restoreId: 'restore-9' });
    expect(tables.map(({ table, rows, equal }) => [table, rows, equal])).toEqual([
      ['customers', 100, true],
      ['orders', 100, true],
    ]);
    const request = {
      restoreId: 'restore-9',
      liveDatabase: 'shop',
      restoredDatabase: 'shop_back',
      retiredDatabase: 'shop_old',
      drainMs: 0,
    };
    const { signal } = new AbortController();
    await postgresEngine.swap(access, request, signal);
    expect(await newer.query('SELECT count(*) FROM customers', { database: 'shop' })).toEqual([['100']]);
    await postgresEngine.undoSwap(access, request, signal);
    await postgresEngine.discard(access, { restoreId: 'restore-9', database: 'shop_old' });
    expect(await newer.query("SELECT datname FROM pg_database WHERE datname LIKE 'shop%'")).toEqual([['shop']]);
    await newer.stop();
  }, 60_000);
});
