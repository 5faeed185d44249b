import type { BackupType } from '@rahatback/contracts';
import { startPostgres, type PrivatePostgres } from '@rahatback/testing';
import { randomUUID } from 'node:crypto';
import { open, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupHarness } from '../backup-harness.suite.js';
import { SeenObjects } from './seen-objects.js';
import { usableBase } from './usable-base.js';

describe('what an agent has seen of a chain', () => {
  let server: PrivatePostgres;
  let harness: BackupHarness;
  let database: string;
  let folder: string;
  let seen: SeenObjects;
  let chainId: string;
  beforeAll(async () => {
    server = await startPostgres();
    harness = await BackupHarness.start(server);
    database = await server.createDatabase();
    await harness.query(database, 'CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 20000)');
  }, 60_000);
  beforeEach(() => {
    folder = join(harness.folder.path, `seen-${randomUUID()}`);
    seen = new SeenObjects(folder);
    chainId = randomUUID();
  });
  afterAll(async () => {
    await harness.stop();
    await server.stop();
  });

  /** What the next link would build on, and the objects that were read to find out. */
  async function nextBase(ids: readonly string[], known: SeenObjects | undefined = seen) {
    const read: string[] = [];
    const links = ids.map((id) => harness.toOpen(id));
    const onReading = ({ backupId, object }: { backupId: string; object: string }): unknown => read.push(`${backupId}/${object}`);
    return { ...(await usableBase(links, { onReading, ...(known ? { seen: known } : {}) })), read };
  }
  async function link(type: BackupType, ids: readonly string[]): Promise<string> {
    const { base } = ids.length > 0 ? await nextBase(ids) : { base: null };
    const identity = harness.identity({ type, chainId });
    const { sink } = harness.request(database, { identity });
    await harness.query(database, 'INSERT INTO t SELECT generate_series(1, 5000)');
    const { manifest } = await harness.backUp(database, { identity, base, sink: seen.sink(sink, identity.backupId) });
    return manifest.backupId;
  }
  const chainOfTwo = async (): Promise<[string, string]> => {
    const full = await link('full', []);
    return [full, await link('incremental', [full])];
  };
  /** One bit, and the file's times as they were. */
  async function flip(path: string, at: number): Promise<void> {
    const { atime, mtime } = await stat(path);
    const file = await open(path, 'r+');
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ 1;
    await file.write(byte, 0, 1, at);
    await file.close();
    await utimes(path, atime, mtime);
  }

  it('reads nothing again that it wrote itself and nobody touched', async () => {
    const ids = await chainOfTwo();
    const { base, read } = await nextBase(ids);
    expect(base?.links).toEqual(ids);
    expect(read).toEqual([]);
    expect((await readdir(folder)).sort()).toEqual(ids.map((id) => `${id}.json`).sort());
    expect((await stat(join(folder, `${ids[0]}.json`))).mode & 0o77).toBe(0);
  });

  it('finds one changed bit of any volume or index, names it, and builds no more on the chain', async () => {
    const ids = await chainOfTwo();
    for (const id of ids) {
      for (const object of ['data-00001', 'index']) {
        const path = join(harness.folderOf(id), object);
        const at = Math.floor((await stat(path)).size / 2);
        await flip(path, at);
        const damaged = await nextBase(ids);
        expect(damaged).toMatchObject({
          base: null,
          trouble: { code: 'DATA_CORRUPT', details: { backupId: id, object, segment: 0 } },
          read: [`${id}/${object}`],
        });
        // The right bytes under a new stamp are read once, and then known.
        await flip(path, at);
        expect(await nextBase(ids)).toMatchObject({ base: { links: ids }, read: [`${id}/${object}`] });
        expect(await nextBase(ids)).toMatchObject({ base: { links: ids }, read: [] });
      }
    }
  });

  it('reads all once where it knows nothing, and every time where it keeps nothing', async () => {
    const ids = await chainOfTwo();
    const all = ids.flatMap((id) => [`${id}/index`, `${id}/data-00001`]);
    const other = new SeenObjects(join(harness.folder.path, `seen-${randomUUID()}`));
    expect((await nextBase(ids, other)).read).toEqual(all);
    expect((await nextBase(ids, other)).read).toEqual([]);
    expect((await usableBase(ids.map((id) => harness.toOpen(id)))).base?.links).toEqual(ids);
    const nowhere = join(harness.folder.path, `file-${randomUUID()}`);
    await writeFile(nowhere, '');
    for (let times = 0; times < 2; times += 1) expect((await nextBase(ids, new SeenObjects(nowhere))).read).toEqual(all);
  });

  it('takes a damaged note for none', async () => {
    const ids = await chainOfTwo();
    const path = join(folder, `${ids[0]}.json`);
    const good = await readFile(path, 'utf8');
    for (const bad of ['', '{', 'null', '[]', '{"index":null}', good.replaceAll(/[0-9a-f]{64}/g, 'x')]) {
      await writeFile(path, bad);
      expect((await nextBase(ids)).read).toContain(`${ids[0]}/data-00001`);
      expect((await nextBase(ids)).read).toEqual([]);
    }
  });
});
