import { startPostgres, testSecret, type PrivatePostgres } from '@rahatback/testing';
import type { TableDigest } from '../../dump/digest-collector.js';
import type { DumpFacts } from '../../dump/dump-facts.js';
import type { DatabaseAccess } from '../database-engine.js';
import { digestDatabase } from './pg-digests.js';

const TABLES = ['a', 'b', 'c', 'd', 'e', 'f'];
const PASSWORD = testSecret('narrow-role');
const EXPECTED: readonly TableDigest[] = TABLES.map((table) => {
  return { schema: 'public', table, columns: ['id'], rows: 0, form: 'text', digest: '' };
});
const FACTS = {
  encoding: 'UTF8',
  tables: TABLES.map((table) => ({ schema: 'public', table, bytes: 1 })),
} as unknown as DumpFacts;

describe('digests of a database', () => {
  let server: PrivatePostgres;
  beforeAll(async () => {
    server = await startPostgres();
    for (const [nth, table] of TABLES.entries())
      await server.query(`CREATE TABLE ${table} AS SELECT i AS id FROM generate_series(1, ${1000 + nth}) i`);
  }, 60_000);
  afterAll(() => server.stop());

  const digested = async (sessions: number): Promise<readonly TableDigest[]> => {
    const username = `limit_${sessions}`;
    await server.query(`CREATE ROLE ${username} LOGIN PASSWORD '${PASSWORD}' CONNECTION LIMIT ${sessions}`);
    for (const table of TABLES) await server.query(`GRANT SELECT ON ${table} TO ${username}`);
    const { host, port } = server;
    const place = { type: 'postgresql', host, port, username, database: 'postgres', tlsMode: 'disable' } as const;
    const access: DatabaseAccess = { connection: { ...place, tlsCa: null, passwordRef: null }, password: PASSWORD };
    return digestDatabase(access, EXPECTED, FACTS, new AbortController().signal);
  };

  it('are the same, in the order that was asked for, whether the server lets one session in or several', async () => {
    const several = await digested(10);
    expect(several.map(({ table, rows }) => [table, rows])).toEqual(TABLES.map((table, nth) => [table, 1000 + nth]));
    expect(new Set(several.map(({ digest }) => digest)).size).toBe(TABLES.length);
    expect(await digested(1)).toEqual(several);
  });

  it('fail where nobody is let in, or a table is not there', async () => {
    await expect(digested(0)).rejects.toMatchObject({ code: expect.stringMatching(/^DB_|RESTORE_FAILED/) as string });
    await server.query('DROP TABLE f');
    await expect(
      digestDatabase(
        {
          connection: {
            type: 'postgresql',
            host: server.host,
            port: server.port,
            username: server.superuser,
            database: 'postgres',
            tlsMode: 'disable',
            tlsCa: null,
            passwordRef: null,
          },
          password: server.password,
        },
        EXPECTED,
        FACTS,
        new AbortController().signal,
      ),
    ).rejects.toMatchObject({ code: 'RESTORE_FAILED' });
  });
});
