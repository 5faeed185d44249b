import { AppError, type Connection } from '@rahatback/contracts';
import { clientBinDir, freePort, shimTools, startPostgres, tempDir, type PrivatePostgres } from '@rahatback/testing';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { Client } from 'pg';
import type { ClientTools } from '../database-engine.js';
import { conninfo } from './pg-commands.js';
import { postgresEngine } from './postgres-engine.js';
import { asPgOptions } from './session-settings.js';

describe('PostgreSQL engine', () => {
  let server: PrivatePostgres;
  let base: Connection;
  beforeAll(async () => {
    server = await startPostgres({ settings: { max_connections: '20' } });
    const { host, port, superuser } = server;
    base = {
      type: 'postgresql',
      host,
      port,
      username: superuser,
      database: 'postgres',
      tlsMode: 'disable',
      tlsCa: null,
      passwordRef: null,
    };
  }, 60_000);
  afterAll(() => server.stop());

  const probe = (change: Partial<Connection>, password: string | null = server.password) =>
    postgresEngine.probe({ connection: { ...base, ...change }, password }, 'backup');
  const refused = async (change: Partial<Connection>, password?: string | null): Promise<AppError> => {
    const error: unknown = await probe(change, password).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AppError);
    expect(JSON.stringify((error as AppError).toBody())).not.toContain(server.password);
    return error as AppError;
  };

  it('says what it reached', async () => {
    const result = await probe({});
    expect(result).toMatchObject({
      serverMajor: server.major,
      traits: { encoding: 'UTF8', collate: 'C.UTF-8', provider: 'libc', settings: [] },
    });
    expect(result.serverVersion.startsWith(`${server.major}.`)).toBe(true);
    expect(result.latencyMs).toBeGreaterThanOrEqual(0);
    expect(result.databaseBytes).toBeGreaterThan(1_000_000);
    expect(await probe({ tlsMode: 'prefer' })).toMatchObject({ serverMajor: server.major });
  });

  it('says why it did not', async () => {
    const closed = await freePort();
    expect(await refused({ port: closed })).toMatchObject({
      code: 'DB_UNREACHABLE',
      message: expect.stringContaining(`127.0.0.1:${closed} refused`) as string,
    });
    expect((await refused({ host: 'no-such-host.invalid' })).code).toBe('DB_UNREACHABLE');
    expect((await refused({ host: '/nonexistent' })).code).toBe('DB_UNREACHABLE');
    expect(await refused({}, 'wrong')).toMatchObject({
      code: 'DB_AUTH_FAILED',
      message: expect.stringMatching(/user postgres .*pg_hba/) as string,
    });
    expect((await refused({}, null)).code).toBe('DB_AUTH_FAILED');
    expect((await refused({ username: 'nobody-here' })).code).toBe('DB_AUTH_FAILED');
    for (const tlsMode of ['require', 'verify-ca', 'verify-full'] as const)
      expect((await refused({ tlsMode })).code).toBe('DB_TLS');
  });

  it('gives up on a server that never answers', async () => {
    const silent: Server = createServer(() => undefined);
    const port = await new Promise<number>((resolve) => {
      silent.listen(0, '127.0.0.1', () => resolve((silent.address() as { port: number }).port));
    });
    const startedAt = performance.now();
    expect((await refused({ port })).code).toBe('DB_UNREACHABLE');
    expect(performance.now() - startedAt).toBeLessThan(15_000);
    silent.close();
  }, 20_000);

  it('names what is there when the database is not', async () => {
    for (let n = 0; n < 12; n += 1) await server.createDatabase(`visible_${String(n).padStart(2, '0')}`);
    const { code, message, details } = await refused({ database: 'visible' });
    expect(code).toBe('DB_NOT_FOUND');
    expect(message).toContain('visible_00');
    expect((details as { visible: string[] }).visible).toHaveLength(10);
  });

  it('names the table that cannot be read and the grant that is missing', async () => {
    const database = await server.createDatabase();
    const client = new Client({ connectionString: server.url(database) });
    await client.connect();
    await client.query(`CREATE TABLE "gizli ""t""" (id int); CREATE ROLE reader LOGIN PASSWORD 'reader-pass'`);
    const as = { database, username: 'reader' };
    const missing = await refused(as, 'reader-pass');
    expect(missing.code).toBe('DB_PRIVILEGE');
    const grant = /Run: (GRANT .*;)$/.exec(missing.message)?.[1] ?? '';
    await client.query(grant);
    expect(await probe(as, 'reader-pass')).toMatchObject({ serverMajor: server.major });
    const restoring = postgresEngine.probe({ connection: { ...base, ...as }, password: 'reader-pass' }, 'restore');
    const error = await restoring.catch((reason: unknown) => reason as AppError);
    expect(error).toMatchObject({ code: 'DB_PRIVILEGE' });
    await client.query(/Run: (ALTER .*;)$/.exec((error as AppError).message)?.[1] ?? '');
    await client.end();
    expect(
      await postgresEngine.probe({ connection: { ...base, ...as, database: 'gone' }, password: 'reader-pass' }, 'restore'),
    ).toBeDefined();
  });

  it('says when the server is full', async () => {
    const hold = Array.from({ length: 20 }, () => new Client({ connectionString: server.url() }));
    for (const client of hold) client.on('error', () => undefined);
    const connected = await Promise.allSettled(hold.map((client) => client.connect()));
    expect(connected.some(({ status }) => status === 'rejected')).toBe(true);
    expect(await refused({})).toMatchObject({
      code: 'DB_UNREACHABLE',
      message: expect.stringContaining('no free connection') as string,
    });
    await Promise.allSettled(hold.map((client) => client.end()));
  });
});

describe('client tools', () => {
  const tools = (version: string): ClientTools => ({
    major: Number.parseInt(version, 10),
    version,
    folder: `/opt/${version}`,
    warning: null,
  });
  const choose = (serverMajor: number, ...versions: string[]): string =>
    postgresEngine.chooseTools({ serverMajor, serverVersion: `${serverMajor}.2` }, versions.map(tools)).version;

  it('are found in folders and on the PATH, newest first, with warnings', async () => {
    const folder = await tempDir();
    await shimTools(join(folder.path, 'a'), { pg_dump: { version: '17.2' }, psql: {} });
    await shimTools(join(folder.path, 'b'), { pg_dump: { version: '99.1' }, psql: {} });
    const search = {
      extraFolders: [join(folder.path, 'a'), '/nonexistent'],
      path: `${join(folder.path, 'b')}:${clientBinDir()}::`,
    };
    const found = await postgresEngine.findTools(search);
    expect(found.map(({ version }) => version)).toEqual(expect.arrayContaining(['99.1', '17.2']));
    expect(found[0]?.version).toBe('99.1');
    expect(found.find(({ version }) => version === '17.2')?.warning).toContain('17.12');
    expect(found.filter(({ folder: at }) => at === clientBinDir())).toHaveLength(1);
    await folder.remove();
  });

  it('are the lowest that can dump the server', () => {
    expect(choose(15, '18.7', '17.12', '15.20', '13.5')).toBe('15.20');
    expect(choose(14, '18.7', '17.12', '15.20', '13.5')).toBe('15.20');
    expect(choose(18, '18.7', '17.12')).toBe('18.7');
    expect(() => choose(18, '17.12', '15.20')).toThrow(/pg_dump 17\.12 cannot dump server 18\.2/);
    expect(() => choose(18)).toThrow(expect.objectContaining({ code: 'TOOL_MISSING' }) as Error);
  });

  it('get names that cannot be options or parameters, and no password in their arguments', () => {
    const connection: Connection = {
      type: 'postgresql',
      host: '/run/pg',
      port: 5432,
      username: "o'brien",
      database: "a=b host=evil \\ 'x'",
      tlsMode: 'verify-full',
      tlsCa: 'PEM',
      passwordRef: null,
    };
    expect(conninfo(connection, '/tmp/ca.pem')).toBe(
      `host='/run/pg' port='5432' user='o\\'brien' dbname='a=b host=evil \\\\ \\'x\\'' sslmode='verify-full' sslrootcert='/tmp/ca.pem' keepalives_idle='60'`,
    );
    const access = { connection, password: 'p4ss word' };
    for (const command of [
      postgresEngine.dumpCommand(access, tools('15.20')),
      postgresEngine.restoreCommand(access, tools('15.20')),
    ]) {
      expect(command.args.join(' ')).not.toContain('p4ss');
      expect(command.env.PGPASSWORD).toBe('p4ss word');
    }
    expect(asPgOptions({ a: 'b c\\' })).toBe('-c a=b\\ c\\\\');
  });
});
