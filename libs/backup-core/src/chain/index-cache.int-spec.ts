import type { BackupType } from '@rahatback/contracts';
import type { BackupSource, SourceRange } from '@rahatback/storage/agent';
import { startPostgres, type PrivatePostgres } from '@rahatback/testing';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, stat, truncate, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { BackupHarness } from '../backup-harness.suite.js';
import type { BackupResult } from '../backup/backup-request.js';
import type { BackupToOpen } from '../restore/open-backup.js';
import { IndexCache } from './index-cache.js';
import type { LoadedChain } from './load-chain.js';
import { SeenObjects } from './seen-objects.js';
import { usableBase } from './usable-base.js';

/** Says which objects were read. */
class WatchedSource implements BackupSource {
  constructor(
    private readonly source: BackupSource,
    private readonly reads: string[],
  ) {}

  stat(object: string): Promise<{ readonly sizeBytes: number }> {
    return this.source.stat(object);
  }

  read(object: string, range?: SourceRange): Promise<Readable> {
    this.reads.push(object);
    return this.source.read(object, range);
  }
}

describe('the cache of indexes', () => {
  let server: PrivatePostgres;
  let harness: BackupHarness;
  let database: string;
  let folder: string;
  let cache: IndexCache;
  let seen: SeenObjects;
  let chainId: string;
  beforeAll(async () => {
    server = await startPostgres();
    harness = await BackupHarness.start(server);
    database = await server.createDatabase();
    await harness.query(database, 'CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 20000)');
  }, 60_000);
  beforeEach(() => {
    folder = join(harness.folder.path, `cache-${randomUUID()}`);
    cache = new IndexCache(folder);
    seen = new SeenObjects(join(harness.folder.path, `seen-${randomUUID()}`));
    chainId = randomUUID();
  });
  afterAll(async () => {
    await harness.stop();
    await server.stop();
  });

  const watched = (backupId: string, reads: string[]): BackupToOpen => ({
    ...harness.toOpen(backupId),
    source: new WatchedSource(harness.source(backupId), reads),
  });
  /** The chain as the next link sees it, and how often an index was read from the storage. */
  async function load(backupIds: readonly string[]): Promise<{ base: LoadedChain; indexReads: number }> {
    const reads: string[] = [];
    const { base, trouble } = await usableBase(
      backupIds.map((backupId) => watched(backupId, reads)),
      { indexes: cache, seen },
    );
    if (base === null) throw trouble ?? new Error('there is no base');
    expect(reads).toContain('manifest.json');
    return { base, indexReads: reads.filter((object) => object === 'index').length };
  }
  async function link(type: BackupType, base: LoadedChain | null, written = cache): Promise<string> {
    const identity = harness.identity({ type, chainId });
    const { sink } = harness.request(database, { identity });
    const { manifest }: BackupResult = await harness.backUp(database, {
      identity,
      base,
      sink: seen.sink(written.sink(sink), identity.backupId),
    });
    return manifest.backupId;
  }
  const unwritten = (): IndexCache => new IndexCache(join(harness.folder.path, randomUUID()));
  const entries = async (): Promise<string[]> => (await readdir(folder)).sort();

  it('keeps the index of each backup as it is written: no later link reads one from the storage', async () => {
    const full = await link('full', null);
    const first = await load([full]);
    const second = await link('incremental', first.base);
    const third = await load([full, second]);
    expect([first.indexReads, third.indexReads]).toEqual([0, 0]);
    expect(third.base.chunks.size).toBeGreaterThan(0);
    const { manifest } = await harness.open(await link('incremental', third.base)).then(({ link: opened }) => opened);
    expect(manifest.chain.links).toEqual([full, second]);
    const stored = await readFile(join(harness.folderOf(full), 'index'));
    const name = (await harness.open(full)).link.manifest.index.sha256;
    expect((await readFile(join(folder, name))).equals(stored)).toBe(true);
    expect((await stat(folder)).mode & 0o77).toBe(0);
    expect((await stat(join(folder, name))).mode & 0o77).toBe(0);
  });

  it('fetches what it does not have once, and again when its copy is damaged, cut or gone', async () => {
    const full = await link('full', null, unwritten());
    expect((await load([full])).indexReads).toBe(1);
    expect((await load([full])).indexReads).toBe(0);
    const [name = ''] = await entries();
    const path = join(folder, name);
    const good = await readFile(path);
    const spoilers = [
      () => writeFile(path, Buffer.concat([good.subarray(0, 99), Buffer.from([(good[99] ?? 0) ^ 1]), good.subarray(100)])),
      () => truncate(path, 60),
      () => writeFile(path, ''),
      () => unlink(path),
    ];
    for (const spoil of spoilers) {
      await spoil();
      expect((await load([full])).indexReads).toBe(1);
      expect((await readFile(path)).equals(good)).toBe(true);
      expect((await load([full])).indexReads).toBe(0);
    }
    expect(await entries()).toEqual([name]);
  });

  it('still sees that the storage has lost an index, and never keeps a damaged one', async () => {
    const full = await link('full', null);
    const path = join(harness.folderOf(full), 'index');
    const good = await readFile(path);
    await unlink(path);
    expect(await usableBase([harness.toOpen(full)], { indexes: cache, seen })).toMatchObject({
      base: null,
      trouble: { code: 'OBJECT_MISSING', details: { backupId: full, object: 'index' } },
    });
    const damaged = Buffer.from(good);
    damaged[50] = (damaged[50] ?? 0) ^ 1;
    await writeFile(path, damaged);
    const empty = unwritten();
    for (let times = 0; times < 2; times += 1) {
      expect(await usableBase([harness.toOpen(full)], { indexes: empty, seen })).toMatchObject({
        base: null,
        trouble: { code: 'DATA_CORRUPT', details: { backupId: full, object: 'index', segment: 0 } },
      });
    }
  });

  it('drops the least recently used when it is full, and lives without a disk', async () => {
    const ids = [await link('full', null), await link('full', null), await link('full', null)];
    const sizes = await Promise.all((await entries()).map(async (name) => (await stat(join(folder, name))).size));
    expect(sizes).toHaveLength(3);
    // Used in the order of `ids`, an hour apart.
    for (const [position, id] of ids.entries()) {
      const { sha256 } = (await harness.open(id)).link.manifest.index;
      const usedAt = new Date(Date.now() - (10 - position) * 3_600_000);
      await utimes(join(folder, sha256), usedAt, usedAt);
    }
    await writeFile(join(folder, '.tmp-abandoned'), 'half');
    const longAgo = new Date(Date.now() - 48 * 3_600_000);
    await utimes(join(folder, '.tmp-abandoned'), longAgo, longAgo);
    expect((await load([ids[0] as string])).indexReads).toBe(0);
    // Room for three of them, which differ by some bytes.
    const room = sizes.reduce((sum, size) => sum + size, 100);
    cache = new IndexCache(folder, room);
    const newest = await link('full', null);
    const kept = await Promise.all([...ids, newest].map(async (id) => (await harness.open(id)).link.manifest.index.sha256));
    expect(await entries()).toEqual([kept[0], kept[2], kept[3]].sort());

    const file = join(harness.folder.path, `file-${randomUUID()}`);
    await writeFile(file, '');
    cache = new IndexCache(file);
    expect((await load([await link('full', null)])).indexReads).toBeGreaterThan(0);
    const tiny = join(harness.folder.path, `tiny-${randomUUID()}`);
    await mkdir(tiny);
    cache = new IndexCache(tiny, 10);
    expect((await load([await link('full', null)])).indexReads).toBeGreaterThan(0);
    expect(await readdir(tiny)).toEqual([]);
  });
});
