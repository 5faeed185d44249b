import { startPostgres, type PrivatePostgres } from '@rahatback/testing';
import { BackupHarness } from '../backup-harness.suite.js';
import type { DatabaseEngine } from '../engine/database-engine.js';
import { postgresEngine } from '../engine/postgres/postgres-engine.js';

/** Rows of very different sizes: small ones would fit into pages before, if the server looked for room there. */
const SCHEMA = `
  CREATE TABLE uneven (id int PRIMARY KEY, t text);
  INSERT INTO uneven SELECT i, repeat(md5(i::text), 1 + (i * 7919) % 90) FROM generate_series(1, 20000) i;
  CREATE TABLE other (id int); INSERT INTO other SELECT generate_series(1, 1000);
  CREATE TABLE "o""dd" (); INSERT INTO "o""dd" DEFAULT VALUES;
  SELECT lo_from_bytea(4711, 'x');`;

describe('comparing a restored database with the dump', () => {
  let server: PrivatePostgres;
  let harness: BackupHarness;
  let backupId: string;
  beforeAll(async () => {
    server = await startPostgres();
    harness = await BackupHarness.start(server);
    const database = await server.createDatabase();
    await harness.query(database, SCHEMA);
    backupId = (await harness.backUp(database)).manifest.backupId;
  }, 60_000);
  afterAll(async () => {
    await harness.stop();
    await server.stop();
  });

  /** Something happens to the restored database just before it is read for the first time. */
  const engineWith = (sql: string): DatabaseEngine => {
    let done = false;
    return {
      ...postgresEngine,
      digestDatabase: async (...args) => {
        if (!done) await harness.query(args[0].connection.database, sql);
        done = true;
        return postgresEngine.digestDatabase(...args);
      },
    };
  };
  const restore = async (target: string, sql: string) => {
    const steps: string[] = [];
    const { tables } = await harness.restore(backupId, target, {
      engine: engineWith(sql),
      onStep: ({ name, detail }) => steps.push(detail === undefined ? name : `${name}: ${detail}`),
    });
    return { tables, byRow: steps.filter((step) => step.startsWith('digest rows')) };
  };

  it('finds the rows in the order in which they were written, and reads nothing twice', async () => {
    const { tables, byRow } = await restore('in_order', 'SELECT 1');
    expect(tables.map(({ table, rows, equal }) => [table, rows, equal])).toEqual([
      ['o"dd', 1, true],
      ['other', 1000, true],
      ['uneven', 20_000, true],
      ['pg_largeobject', 1, true],
    ]);
    expect(byRow).toEqual([]);
  });

  it('takes the same rows in another order for equal', async () => {
    const { tables, byRow } = await restore(
      'reordered',
      'CREATE TEMP TABLE kept AS TABLE uneven; TRUNCATE uneven; INSERT INTO uneven SELECT * FROM kept ORDER BY id DESC',
    );
    expect(tables.every(({ equal }) => equal)).toBe(true);
    expect(byRow).toEqual(['digest rows: 1 tables']);
  });

  it.each([
    ['a changed value', `UPDATE uneven SET t = t || '.' WHERE id = 77`, 'public.uneven (20000 rows dumped, 20000 restored)'],
    [
      'a row that is twice there instead of another',
      'UPDATE other SET id = 7 WHERE id = 8',
      'public.other (1000 rows dumped, 1000 restored)',
    ],
    ['a row less', 'DELETE FROM other WHERE id = 1000', 'public.other (1000 rows dumped, 999 restored)'],
    ['a large object', `SELECT lo_put(4711, 0, 'y')`, 'pg_catalog.pg_largeobject (1 rows dumped, 1 restored)'],
  ])('sees %s, and names that table alone', async (_what, sql, named) => {
    const before = await harness.databases();
    await expect(restore('differs', sql)).rejects.toMatchObject({
      code: 'RESTORE_DIGEST_MISMATCH',
      message: expect.stringContaining(`differs from the backup in ${named}. It was dropped`) as string,
    });
    expect(await harness.databases()).toEqual(before);
  });
});
