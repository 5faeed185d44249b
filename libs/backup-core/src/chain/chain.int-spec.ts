import type { AppError, BackupType } from '@rahatback/contracts';
import { startPostgres, type PrivatePostgres } from '@rahatback/testing';
import { createHash, randomUUID } from 'node:crypto';
import { readFile, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupHarness } from '../backup-harness.suite.js';
import type { BackupResult } from '../backup/backup-request.js';
import { dumpBytes } from '../restore/read-dump.js';
import { loadChain } from './load-chain.js';
import { usableBase } from './usable-base.js';

const ROWS = 150_000;

describe('a chain', () => {
  let server: PrivatePostgres;
  let harness: BackupHarness;
  let database: string;
  const chainId = randomUUID();
  beforeAll(async () => {
    server = await startPostgres();
    harness = await BackupHarness.start(server);
    database = await server.createDatabase();
    await harness.query(
      database,
      `CREATE TABLE t (id int PRIMARY KEY, note text); INSERT INTO t SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(1, ${ROWS}) i`,
    );
  }, 60_000);
  afterAll(async () => {
    await harness.stop();
    await server.stop();
  });

  const link = async (type: BackupType, base: readonly string[]): Promise<BackupResult> =>
    harness.backUp(database, {
      identity: harness.identity({ type, chainId }),
      base: base.length === 0 ? null : await loadChain(base.map((backupId) => harness.toOpen(backupId))),
    });
  const storedBytes = ({ manifest }: BackupResult): number =>
    manifest.volumes.reduce((sum, volume) => sum + volume.storedBytes, 0);
  const sha256Of = async (backupId: string): Promise<string> => {
    const backup = await harness.open(backupId);
    const hash = createHash('sha256');
    for await (const bytes of dumpBytes(backup)) hash.update(bytes);
    expect(hash.digest('hex')).toBe(backup.end.sha256);
    return backup.end.sha256;
  };

  it('stores only what is new, and gives every link back', async () => {
    const full = await link('full', []);
    const fullId = full.manifest.backupId;
    await harness.query(database, `UPDATE t SET note = 'changed' WHERE id BETWEEN 70000 AND 70010`);
    const second = await link('incremental', [fullId]);
    const secondId = second.manifest.backupId;
    await harness.query(
      database,
      `DELETE FROM t WHERE id BETWEEN 10 AND 20; INSERT INTO t SELECT i, md5(i::text) FROM generate_series(200000, 205000) i`,
    );
    const third = await link('incremental', [fullId, secondId]);
    const differential = await link('differential', [fullId]);

    expect(third.manifest.chain).toEqual({ id: chainId, links: [fullId, secondId] });
    expect(storedBytes(second)).toBeLessThan(storedBytes(full) / 4);
    expect(second.newChunks).toBeLessThan(full.newChunks / 4);
    expect(third.newChunks).toBeLessThanOrEqual(differential.newChunks);
    for (const { manifest } of [full, second, third, differential]) await sha256Of(manifest.backupId);

    const { tables } = await harness.restore(third.manifest.backupId, 'third_restored');
    expect(tables).toEqual([
      { schema: 'public', table: 't', rows: ROWS - 11 + 5001, restoredRows: ROWS - 11 + 5001, equal: true },
    ]);
    expect((await harness.restore(secondId, 'second_restored')).tables).toMatchObject([{ rows: ROWS, equal: true }]);
    const changed = "SELECT count(*) FROM t WHERE note = 'changed'";
    expect(await harness.query('second_restored', changed)).toEqual([['11']]);
  }, 120_000);

  it('stores nothing at all when nothing changed', async () => {
    const full = await link('full', []);
    const again = await link('incremental', [full.manifest.backupId]);
    // The key of \restrict is new in every dump: the first and the last chunk are.
    expect(again.newChunks).toBeLessThanOrEqual(2);
    expect((await harness.restore(again.manifest.backupId, 'again_restored')).tables.every(({ equal }) => equal)).toBe(true);
  });

  it('is not built on when a volume of a link is missing or cut; a restore needs no more than what is pointed into', async () => {
    const full = await link('full', []);
    const second = await link('incremental', [full.manifest.backupId]);
    await harness.query(database, 'CREATE TABLE other AS SELECT * FROM t WHERE id % 3 = 0');
    const third = await link('incremental', [full.manifest.backupId, second.manifest.backupId]);
    const ids = [full, second, third].map(({ manifest }) => manifest.backupId) as [string, string, string];
    const base = () => usableBase(ids.map((id) => harness.toOpen(id)));
    expect((await base()).base?.links).toEqual(ids);
    for (const [id, object] of [
      [ids[0], 'data-00001'],
      [ids[2], 'data-00001'],
      [ids[1], 'index'],
    ] as const) {
      const path = join(harness.folderOf(id), object);
      const bytes = await readFile(path);
      await truncate(path, bytes.length - 1);
      expect(await base()).toMatchObject({ base: null, trouble: { code: 'DATA_TRUNCATED', details: { backupId: id, object } } });
      await unlink(path);
      expect(await base()).toMatchObject({ base: null, trouble: { code: 'OBJECT_MISSING', details: { backupId: id, object } } });
      await writeFile(path, bytes);
    }
    // The keys of the full are gone: it cannot be opened itself, nor built on, but the key of the chain is in every link's own file.
    await unlink(join(harness.folderOf(ids[0]), 'keys-1.json'));
    expect(await base()).toMatchObject({ base: null, trouble: { code: 'KEYS_INVALID', details: { backupId: ids[0] } } });
    await sha256Of(ids[2]);
    await unlink(join(harness.folderOf(ids[0]), 'manifest.json'));
    await expect(harness.open(ids[2])).rejects.toMatchObject({
      code: 'OBJECT_MISSING',
      details: { backupId: ids[0], object: 'manifest.json' },
    });
  });

  it('is refused when a link is of another chain, missing, or no full comes first', async () => {
    const full = await link('full', []);
    const second = await link('incremental', [full.manifest.backupId]);
    const stranger = await harness.backUp(database);
    const ids = ({ manifest }: BackupResult): string => manifest.backupId;
    await expect(loadChain([harness.toOpen(ids(second))])).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(loadChain([harness.toOpen(ids(full)), harness.toOpen(ids(stranger))])).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    await expect(loadChain([harness.toOpen(ids(full)), harness.toOpen(randomUUID())])).rejects.toMatchObject({
      code: 'OBJECT_MISSING',
    });
    const mismatched = harness.backUp(database, { identity: harness.identity({ type: 'incremental', chainId }) });
    await expect(mismatched).rejects.toMatchObject({ code: 'INTERNAL' } satisfies Partial<AppError>);
  });
});
