import { AppError, VERIFICATION_CHECKS } from '@rahatback/contracts';
import { createRealisticDatabase } from '@rahatback/testing';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import type { DatabaseEngine } from '../engine/database-engine.js';
import { postgresEngine } from '../engine/postgres/postgres-engine.js';
import type { Manifest } from '../manifest/manifest.js';
import { checkOf, flip, notPassed, VerificationWorld } from './verification-world.suite.js';

jest.setTimeout(120_000);
const SEGMENT = 1_048_576;

describe('a verification', () => {
  let world: VerificationWorld;
  let database: string;
  let full: Manifest;
  let incremental: string;
  beforeAll(async () => {
    world = await VerificationWorld.start();
    database = await world.server.createDatabase();
    const client = new Client({ connectionString: world.server.url(database) });
    await client.connect();
    await createRealisticDatabase(client, { targetMb: 12 });
    await client.end();
    full = (await world.harness.backUp(database, { limits: { volumeMaxPlainBytes: 2_500_000 } })).manifest;
    await world.harness.query(database, `INSERT INTO "mağaza".categories (name) VALUES ('sonradan')`);
    incremental = await world.incremental(database, full);
  }, 120_000);
  afterAll(() => world.stop());
  afterEach(() => world.assertNothingLeft());

  it.each(['BASIC', 'DATABASE'] as const)('of level %s passes on a full and on an incremental backup', async (level) => {
    for (const backupId of [full.backupId, incremental]) {
      const outcome = await world.verify(backupId, level);
      expect(notPassed(outcome)).toEqual([]);
      expect(outcome).toMatchObject({ status: 'PASSED', reason: null, tables: [], restoreMs: null });
      const end = VERIFICATION_CHECKS.indexOf(level === 'BASIC' ? 'contents' : 'server');
      expect(outcome.checks.map(({ name }) => name)).toEqual(VERIFICATION_CHECKS.slice(0, end));
    }
  });

  it('of level FULL restores into a throw-away server and finds every table equal', async () => {
    for (const backupId of [full.backupId, incremental]) {
      const steps: string[] = [];
      const outcome = await world.verify(backupId, 'FULL', { onStep: ({ name }) => steps.push(name) });
      expect(notPassed(outcome)).toEqual([]);
      expect(outcome.status).toBe('PASSED');
      expect(outcome.checks.map(({ name }) => name)).toEqual([...VERIFICATION_CHECKS]);
      expect(outcome.tables.length).toBeGreaterThan(10);
      expect(outcome.tables.every(({ equal, rows, restoredRows }) => equal && rows === restoredRows)).toBe(true);
      expect(outcome.restoreMs).toBeGreaterThan(0);
      expect(steps).toEqual(['open', 'objects', 'server', 'restore', 'digest', 'checksums']);
      expect(checkOf(outcome, 'server').evidence).toMatchObject({
        isolation: 'sandbox',
        uid: process.getuid?.() === 0 ? 65_534 : process.getuid?.(),
      });
      process.stdout.write(`verification FULL: ${outcome.tables.length} tables equal, restored in ${outcome.restoreMs} ms\n`);
    }
  });

  it.each([
    [
      'narrow rows with indexes',
      'CREATE TABLE n (a int PRIMARY KEY, b int); INSERT INTO n SELECT i, i FROM generate_series(1, 300000) i; CREATE INDEX ON n (b); CREATE INDEX ON n (b, a)',
    ],
    [
      'words with a trigram index',
      `CREATE EXTENSION pg_trgm; CREATE TABLE w (t text); INSERT INTO w SELECT md5(i::text) FROM generate_series(1, 100000) i; CREATE INDEX ON w USING gin (t gin_trgm_ops)`,
    ],
  ])('asks for enough room: %s', async (what, sql) => {
    const wide = await world.server.createDatabase();
    await world.harness.query(wide, sql);
    const { manifest } = await world.harness.backUp(wide);
    let used = 0;
    const outcome = await world.verify(manifest.backupId, 'FULL', {
      onRestored: async ({ connection, password }) => {
        const { host, port, username: user, database: copy } = connection;
        const client = new Client({ host, port, user, password: password ?? '', database: copy });
        await client.connect();
        const { rows } = await client.query<{ used: string }>(
          'SELECT (SELECT sum(pg_database_size(oid)) FROM pg_database) + (SELECT sum(size) FROM pg_ls_waldir()) AS used',
        );
        used = Number(rows[0]?.used);
        await client.end();
      },
    });
    const needed = Number(checkOf(outcome, 'server').evidence.neededBytes);
    const mib = (bytes: number): string => (bytes / 1_048_576).toFixed(1);
    process.stdout.write(
      `room, ${what}: dump ${mib(manifest.dumpBytes)} MiB, used ${mib(used)} MiB, asked for ${mib(needed)} MiB\n`,
    );
    expect(used).toBeGreaterThan(manifest.dumpBytes);
    expect(used).toBeLessThan(needed);
  });

  it('reads each stored byte of a full once, its index twice', async () => {
    let bytes = 0;
    const { source } = world.harness.toOpen(full.backupId);
    const counted = {
      stat: (object: string) => source.stat(object),
      read: async (object: string, range?: { start: number; end?: number }) => {
        const stream = await source.read(object, range);
        if (object.startsWith('data-')) stream.on('data', (piece: Buffer) => (bytes += piece.length));
        return stream;
      },
    };
    const outcome = await world.verify(full.backupId, 'DATABASE', {
      backup: { ...world.harness.toOpen(full.backupId), source: counted },
    });
    expect(outcome.status).toBe('PASSED');
    const stored = full.volumes.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    // Chunks that stand in a frame of long ago are fetched again: a few.
    expect(bytes).toBeGreaterThanOrEqual(stored);
    expect(bytes).toBeLessThan(stored * 1.25);
  });

  it('names object and segment of one changed byte, and judges the rest', async () => {
    const volume = full.volumes.find(({ segments }) => segments > 1);
    if (!volume) throw new Error('no volume of several segments');
    const outcome = await world.spoilt(full.backupId, 'FULL', (folder) => flip(folder, volume.name, SEGMENT + 100));
    expect(outcome.status).toBe('FAILED');
    expect(outcome.reason).toContain(volume.name);
    expect(checkOf(outcome, 'checksums')).toMatchObject({ result: 'failed', evidence: { differing: [volume.name] } });
    expect(checkOf(outcome, 'segments')).toMatchObject({ result: 'failed', evidence: { object: volume.name, segment: 1 } });
    for (const name of ['manifest', 'keys', 'objects', 'chain', 'server', 'cleanup'] as const)
      expect(checkOf(outcome, name).result).toBe('passed');
    for (const name of ['frames', 'contents', 'schema', 'restore', 'digests'] as const)
      expect(checkOf(outcome, name).result).toBe('skipped');
    expect(outcome.tables).toEqual([]);
  });

  it('names a missing volume and still compares the others', async () => {
    const [first, second] = full.volumes.map(({ name }) => name) as [string, string];
    const outcome = await world.spoilt(full.backupId, 'FULL', async (folder) => {
      await rm(join(folder, first));
      await flip(folder, second, 500);
    });
    expect(outcome).toMatchObject({ status: 'FAILED', restoreMs: null });
    expect(outcome.reason).toContain(first);
    expect(checkOf(outcome, 'objects')).toMatchObject({ result: 'failed', evidence: { damaged: [first] } });
    expect(checkOf(outcome, 'checksums')).toMatchObject({ result: 'failed', evidence: { differing: [second] } });
    expect(checkOf(outcome, 'server').result).toBe('skipped');
  });

  it('finds damage in what an incremental backup points into', async () => {
    const folder = join(world.harness.folder.path, 'full-copy');
    await cp(world.harness.folderOf(full.backupId), folder, { recursive: true });
    const [first] = full.volumes;
    const place = world.harness.folderOf(full.backupId);
    await flip(place, first?.name ?? '', 5000);
    const flipped = await world.verify(incremental, 'DATABASE');
    await rm(join(place, first?.name ?? ''));
    const gone = await world.verify(incremental, 'BASIC');
    await rm(join(place, 'manifest.json'));
    const noManifest = await world.verify(incremental, 'BASIC');
    await rm(place, { recursive: true });
    await cp(folder, place, { recursive: true });
    expect(flipped.status).toBe('FAILED');
    expect(checkOf(flipped, 'chain').message).toContain(`${first?.name} of backup ${full.backupId}`);
    expect(checkOf(flipped, 'segments')).toMatchObject({ result: 'failed', evidence: { backupId: full.backupId } });
    expect(checkOf(flipped, 'objects').result).toBe('passed');
    expect(checkOf(gone, 'chain')).toMatchObject({
      result: 'failed',
      evidence: { damaged: [first?.name], backupId: full.backupId },
    });
    expect(checkOf(gone, 'checksums').result).toBe('passed');
    expect(checkOf(noManifest, 'chain')).toMatchObject({ result: 'failed', evidence: { object: 'manifest.json' } });
    expect((await world.verify(incremental, 'BASIC')).status).toBe('PASSED');
  });

  it.each([
    ['manifest.json', 'manifest'],
    ['keys-1.json', 'keys'],
    ['index', 'segments'],
  ] as const)('fails when %s is changed', async (object, check) => {
    const outcome = await world.spoilt(full.backupId, 'DATABASE', (folder) => flip(folder, object, 400));
    expect(outcome.status).toBe('FAILED');
    expect(checkOf(outcome, check)).toMatchObject({ result: 'failed', message: expect.stringContaining(object) });
    expect(checkOf(outcome, 'contents').result).toBe('skipped');
    const gone = await world.spoilt(full.backupId, 'BASIC', (folder) => rm(join(folder, object)));
    expect(gone.status).toBe('FAILED');
    expect(checkOf(gone, object === 'index' ? 'objects' : check).result).toBe('failed');
  });

  it('names the table in which the restored copy differs by one row', async () => {
    const altered = await world.verify(full.backupId, 'FULL', {
      onRestored: async ({ connection, password }) => {
        const { host, port, username: user, database: copy } = connection;
        const client = new Client({ host, port, user, password: password ?? '', database: copy });
        await client.connect();
        await client.query(
          `UPDATE "mağaza".categories SET name = name || '!' WHERE id = (SELECT min(id) FROM "mağaza".categories)`,
        );
        await client.query(`DELETE FROM "mağaza".awkward_values WHERE ctid = (SELECT min(ctid) FROM "mağaza".awkward_values)`);
        await client.query(`SELECT setval('"mağaza"."Fatura No"', 17)`);
        await client.end();
      },
    });
    expect(altered.status).toBe('FAILED');
    expect(notPassed(altered)).toEqual(['row counts: failed', 'digests: failed', 'sequences: failed']);
    expect(checkOf(altered, 'row counts').evidence).toMatchObject({
      differing: [expect.stringContaining('mağaza.awkward_values')],
    });
    expect(checkOf(altered, 'digests').evidence.differing).toEqual(
      expect.arrayContaining(['mağaza.categories', 'mağaza.awkward_values']),
    );
    expect(checkOf(altered, 'sequences').message).toContain('Fatura No');
    expect(altered.tables.filter(({ equal }) => !equal)).toHaveLength(2);
  });

  it('is skipped, with what to do, where the machine cannot restore', async () => {
    // Of a major that no machine has.
    const startThrowaway: DatabaseEngine['startThrowaway'] = (request) =>
      postgresEngine.startThrowaway({ ...request, serverVersion: '99.1' });
    const noServer = await world.verify(full.backupId, 'FULL', { engine: { ...postgresEngine, startThrowaway } });
    expect(noServer).toMatchObject({ status: 'SKIPPED', reason: expect.stringContaining('postgresql-99') });
    const noRoom = await world.verify(full.backupId, 'FULL', { workDirs: ['/proc'] });
    expect(noRoom).toMatchObject({ status: 'SKIPPED', reason: expect.stringContaining('MiB') });
    for (const outcome of [noServer, noRoom]) {
      expect(notPassed(outcome)).toEqual(
        ['server', 'requirements', 'restore', 'row counts', 'digests', 'sequences', 'cleanup'].map((name) => `${name}: skipped`),
      );
      expect(checkOf(outcome, 'metadata').result).toBe('passed');
    }
  });

  it('rejects, and leaves nothing, when it is cancelled or the storage is away', async () => {
    const cancel = new AbortController();
    const reason = new AppError('CANCELLED', 'A person cancelled it.');
    const cancelled = world.verify(full.backupId, 'FULL', {
      signal: cancel.signal,
      onStep: ({ name }) => {
        if (name === 'restore') setImmediate(() => cancel.abort(reason));
      },
    });
    await expect(cancelled).rejects.toBe(reason);
    await world.assertNothingLeft();
    const { source } = world.harness.toOpen(full.backupId);
    let reads = 0;
    const away = {
      stat: (object: string) => source.stat(object),
      read: (object: string, range?: { start: number; end?: number }) => {
        reads += 1;
        if (reads > 8) throw new AppError('STORAGE_TRANSIENT', 'The storage is away.');
        return source.read(object, range);
      },
    };
    const interrupted = world.verify(full.backupId, 'FULL', { backup: { ...world.harness.toOpen(full.backupId), source: away } });
    await expect(interrupted).rejects.toMatchObject({ code: 'STORAGE_TRANSIENT' });
  });
});
