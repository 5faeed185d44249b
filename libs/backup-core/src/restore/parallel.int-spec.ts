import { clientBinDir, createRealisticDatabase, isAlive, startPostgres, type PrivatePostgres } from '@rahatback/testing';
import { execFileSync } from 'node:child_process';
import { Client } from 'pg';
import { BackupHarness } from '../backup-harness.suite.js';
import { sessionCount } from './session-count.js';

const GIB = 2 ** 30;
/** Keys across tables, a cycle of them, partitions, inheritance, views that need a key, everything that comes after the rows. */
const SCHEMA = `
  CREATE TABLE a (id int PRIMARY KEY, b int, note text CHECK (note <> 'no'), UNIQUE (b, id)); CREATE TABLE b (id int PRIMARY KEY, a int);
  INSERT INTO a SELECT i, i, 'row ' || i FROM generate_series(1, 5000) i; INSERT INTO b SELECT i, i FROM generate_series(1, 5000) i;
  ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b; ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a;
  CREATE TABLE long_rows (id serial, t text); INSERT INTO long_rows (t) SELECT repeat(md5(i::text), 30000) FROM generate_series(1, 5) i;
  CREATE TABLE odd ("a
b" int, "c\\d" text); INSERT INTO odd VALUES (1, E'x\\ny\\\\.'), (2, E'\\\\.');
  CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES; CREATE TABLE empty (id int);
  CREATE TABLE parts (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
  CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
  CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
  INSERT INTO parts SELECT i, date '2026-01-01' + i % 360 FROM generate_series(1, 3000) i; CREATE INDEX ON parts (day);
  CREATE VIEW by_key AS SELECT a.id, a.note FROM a GROUP BY a.id; CREATE MATERIALIZED VIEW sums AS SELECT count(*) FROM by_key;
  CREATE UNIQUE INDEX ON sums (count); CREATE STATISTICS st ON id, b FROM a; COMMENT ON INDEX a_pkey IS 'key';
  CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a trigger ran'; END $$;
  CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION note_it(); CREATE RULE r AS ON DELETE TO b DO INSTEAD NOTHING;
  ALTER TABLE b ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON b USING (id > 0); ALTER TABLE a CLUSTER ON a_pkey; ALTER TABLE b REPLICA IDENTITY USING INDEX b_pkey;
  SELECT lo_from_bytea(0, decode(repeat('00ff10', 40000), 'hex')); SELECT lo_from_bytea(4711, 'x'); COMMENT ON LARGE OBJECT 4711 IS 'four';
  GRANT SELECT ON a TO PUBLIC; CREATE PUBLICATION pub FOR TABLE a;`;

describe('a restore by several sessions', () => {
  let server: PrivatePostgres;
  let harness: BackupHarness;
  beforeAll(async () => {
    server = await startPostgres({ settings: { shared_buffers: '256MB' } });
    harness = await BackupHarness.start(server);
  }, 60_000);
  afterAll(async () => {
    await harness.stop();
    await server.stop();
  });

  /** Everything but rows, as pg_dump sees it. */
  const definitionOf = (database: string): string => {
    const env = { PGPASSWORD: server.password, LC_ALL: 'C' };
    const args = ['--schema-only', '-h', server.host, '-p', String(server.port), '-U', server.superuser, database];
    const text = execFileSync(`${clientBinDir()}/pg_dump`, args, { env, encoding: 'utf8' });
    return text.replaceAll(/^\\(un)?restrict .*$/gm, '');
  };
  const restore = async (backupId: string, target: string, parallelism: number) => {
    const steps: string[] = [];
    const startedAt = performance.now();
    const { tables } = await harness.restore(backupId, target, { parallelism, onStep: ({ name }) => steps.push(name) });
    return { tables, steps, ms: performance.now() - startedAt };
  };

  it('gives what one session gives, to the last index and key', async () => {
    const database = await server.createDatabase();
    await harness.query(database, SCHEMA);
    const { manifest } = await harness.backUp(database);
    const several = await restore(manifest.backupId, 'several', 3);
    expect(several.steps).toEqual(['connect', 'create', 'load', 'parallel', 'index', 'digest', 'publish']);
    expect(several.tables.every(({ equal }) => equal)).toBe(true);
    expect(several.tables).toHaveLength(9);
    await restore(manifest.backupId, 'one', 1);
    expect(definitionOf('several')).toBe(definitionOf('one'));
    expect(definitionOf('several')).toBe(definitionOf(database));
    const invalid = 'SELECT count(*) FROM pg_index WHERE NOT indisvalid';
    expect(await harness.query('several', invalid)).toEqual([['0']]);
    expect(await harness.query('several', 'SELECT count FROM sums')).toEqual([['5000']]);
  }, 60_000);

  it('goes on with one session where several fail, and says so', async () => {
    const database = await server.createDatabase();
    // A check that one session alone can meet. A sequence is changed outside of transactions: whoever comes second sees it, however late.
    await harness.query(
      database,
      `CREATE SEQUENCE claim;
       CREATE FUNCTION mine() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
         IF (SELECT last_value = 1 FROM public.claim) THEN PERFORM setval('public.claim', pg_backend_pid()); END IF;
         RETURN (SELECT last_value = pg_backend_pid() FROM public.claim);
       END $$;
       CREATE TABLE checked (id int PRIMARY KEY, note text CHECK (mine()));
       INSERT INTO checked SELECT i, repeat('x', 300) FROM generate_series(1, 20000) i; SELECT setval('claim', 1, false)`,
    );
    const { manifest } = await harness.backUp(database);
    const { steps, tables } = await restore(manifest.backupId, 'checked', 4);
    expect(steps).toContain('one session');
    expect(tables.map(({ rows, equal }) => [rows, equal])).toEqual([[20_000, true]]);
  }, 60_000);

  it('leaves no database and no process when it is cancelled in the middle', async () => {
    const database = await server.createDatabase();
    await harness.query(
      database,
      'CREATE TABLE t (n text); INSERT INTO t SELECT repeat(md5(i::text), 100) FROM generate_series(1, 5000) i',
    );
    const { manifest } = await harness.backUp(database);
    const before = await harness.databases();
    const cancel = new AbortController();
    const pids: number[] = [];
    const cancelled = harness.restore(manifest.backupId, 'never', {
      parallelism: 3,
      signal: cancel.signal,
      onSpawn: ({ pid }) => pids.push(pid) === 3 && setImmediate(() => cancel.abort()),
    });
    await expect(cancelled).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await harness.databases()).toEqual(before);
    expect(pids.length).toBeGreaterThanOrEqual(3);
    expect(pids.filter((pid) => isAlive(pid))).toEqual([]);
  }, 30_000);

  it('takes what the machine has room for', () => {
    const room = { cores: 16, freeBytes: 64 * GIB };
    expect(sessionCount(0, room)).toBe(4);
    expect(sessionCount(0, { ...room, cores: 2 })).toBe(1);
    expect(sessionCount(0, { ...room, cores: 1 })).toBe(1);
    expect(sessionCount(0, { ...room, cores: 4 })).toBe(3);
    expect(sessionCount(12, room)).toBe(12);
    expect(sessionCount(12, { ...room, freeBytes: GIB })).toBe(4);
    expect(sessionCount(12, { ...room, freeBytes: 1 })).toBe(1);
    expect(sessionCount(1, room)).toBe(1);
  });

  it('restores a realistic database equal, and prints what it gains', async () => {
    const database = await server.createDatabase();
    const client = new Client({ connectionString: server.url(database) });
    await client.connect();
    await createRealisticDatabase(client, { targetMb: 60, seed: 4 });
    await client.end();
    const { manifest } = await harness.backUp(database);
    const one = await restore(manifest.backupId, 'realistic_1', 1);
    const several = await restore(manifest.backupId, 'realistic_n', 2);
    expect(several.steps).not.toContain('one session');
    expect(several.tables).toEqual(one.tables);
    expect(definitionOf('realistic_n')).toBe(definitionOf('realistic_1'));
    process.stderr.write(
      `parallel restore: ${Math.round(one.ms)} ms with one session, ${Math.round(several.ms)} ms with 2: ${(one.ms / several.ms).toFixed(2)} times as fast\n`,
    );
  }, 180_000);
});
