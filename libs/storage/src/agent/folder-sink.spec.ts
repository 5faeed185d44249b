import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, open, readdir, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { FolderSink } from './folder-sink.js';
import { FolderSource } from './folder-source.js';

const code = (expected: string): object => expect.objectContaining({ code: expected }) as object;

describe('a plain folder', () => {
  let parent: string;
  let folder: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'rahatback-folder-'));
    folder = join(parent, 'backup');
  });
  afterEach(() => rm(parent, { recursive: true }));

  it('gives back what was written, whole and in ranges', async () => {
    const sink = new FolderSink(folder);
    const content = randomBytes(300_000);
    const object = await sink.beginObject('data-00001');
    await object.write(content.subarray(0, 100_000));
    await object.write(content.subarray(100_000));
    const completed = await object.complete();
    expect(completed).toMatchObject({ sizeBytes: 300_000, sha256: createHash('sha256').update(content).digest('hex') });
    const source = new FolderSource(folder);
    expect(await source.stat('data-00001')).toEqual({ sizeBytes: 300_000, stamp: completed.stamp });
    expect((await buffer(await source.read('data-00001'))).equals(content)).toBe(true);
    expect(
      (await buffer(await source.read('data-00001', { start: 65_000, end: 66_000 }))).equals(content.subarray(65_000, 66_000)),
    ).toBe(true);
    await expect(source.read('data-00001', { start: 0, end: 300_001 })).rejects.toEqual(code('DATA_TRUNCATED'));
    await expect(source.read('index')).rejects.toEqual(code('OBJECT_MISSING'));
    expect((await stat(join(folder, 'data-00001'))).mode & 0o777).toBe(0o600);
  });

  it('stamps a file anew when a byte of it is changed, also under its old times', async () => {
    await new FolderSink(folder).publish('data-00001', randomBytes(1_000));
    const path = join(folder, 'data-00001');
    const { atime, mtime } = await stat(path);
    const { stamp } = await new FolderSource(folder).stat('data-00001');
    expect(await new FolderSource(folder).stat('data-00001')).toEqual({ sizeBytes: 1_000, stamp });
    const file = await open(path, 'r+');
    await file.write(randomBytes(1), 0, 1, 500);
    await file.close();
    await utimes(path, atime, mtime);
    expect((await new FolderSource(folder).stat('data-00001')).stamp).not.toBe(stamp);
  });

  it('shows an object only when it is complete, and leaves nothing of an aborted one', async () => {
    const sink = new FolderSink(folder);
    const object = await sink.beginObject('data-00001');
    await object.write(randomBytes(1_000));
    expect(await readdir(folder)).not.toContain('data-00001');
    await sink.abort();
    await sink.abort();
    expect(await readdir(parent)).toEqual([]);
    await expect(object.complete()).rejects.toBeInstanceOf(Error);
  });

  it('takes completed objects away with an abort, and the folders that it made, but nothing of others', async () => {
    const sink = new FolderSink(join(folder, 'attempt'));
    for (const name of ['data-00001', 'index']) {
      const object = await sink.beginObject(name);
      await object.write(randomBytes(1_000));
      await object.complete();
    }
    await sink.publish('manifest.json', Buffer.from('one'));
    const late = await sink.beginObject('data-00002');
    const other = new FolderSink(join(folder, 'other'));
    await other.publish('manifest.json', Buffer.from('two'));
    await Promise.all([sink.abort(), late.complete().catch(() => undefined)]);
    await sink.abort();
    expect(await readdir(folder, { recursive: true })).toEqual(['other', 'other/manifest.json']);
    await expect(sink.publish('manifest.json', Buffer.from('one'))).rejects.toEqual(code('CANCELLED'));
    await sink.abort();
    expect(await readdir(folder)).toEqual(['other']);
    await other.abort();
    // The first one had made it, not this one.
    expect(await readdir(parent)).toEqual(['backup']);
  });

  it('never overwrites, and takes the same publication twice', async () => {
    const sink = new FolderSink(folder);
    await sink.publish('manifest.json', Buffer.from('one'));
    await sink.publish('manifest.json', Buffer.from('one'));
    await expect(sink.publish('manifest.json', Buffer.from('two'))).rejects.toEqual(code('OBJECT_EXISTS'));
    expect((await buffer(await new FolderSource(folder).read('manifest.json'))).toString()).toBe('one');
    expect(await readdir(folder)).toEqual(['manifest.json']);
  });

  it.each(['../x', 'a/b', '/etc/passwd', '..', '', '.hidden'])('refuses the name %j', async (name) => {
    await expect(new FolderSink(folder).beginObject(name)).rejects.toEqual(code('PATH_FORBIDDEN'));
    await expect(new FolderSource(folder).read(name)).rejects.toEqual(code('PATH_FORBIDDEN'));
  });
});
