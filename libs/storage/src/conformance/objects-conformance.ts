import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { AppError } from '@rahatback/contracts';
import type { StorageBackend } from '../server/storage-backend.js';
import { sendSigned } from './signed-http.js';
import { collect } from './upload-steps.js';

/** Names that no driver may take: they leave the storage, hide, or mean different things to different file systems. */
export const FORBIDDEN_KEYS: readonly string[] = [
  '',
  '/',
  '..',
  '.',
  '../etc/passwd',
  'a/../../etc/passwd',
  'a/..',
  'a/./b',
  '/etc/passwd',
  'a//b',
  'a/',
  '.uploads/x',
  'a/.hidden',
  'a\\b',
  'C:\\x',
  'a\0b',
  'a\nb',
  'a b',
  '~root',
  'a/%2e%2e/b',
  '$(id)',
  'x'.repeat(256),
  'x/'.repeat(301) + 'x',
];

/** Everything about whole objects. `get` gives a backend whose storage is shared by these tests: each uses names of its own. */
export function describeObjects(get: () => StorageBackend): void {
  const key = (name: string): string => `objects/${randomBytes(6).toString('hex')}/${name}`;
  const code = (expected: string): object => expect.objectContaining({ code: expected }) as object;

  it('answers every check of the probe and leaves nothing', async () => {
    const { checks } = await get().probe();
    expect(checks).toEqual(['write', 'read', 'list', 'multipart', 'delete'].map((name) => ({ name, ok: true })));
    expect(await collect(get().list('rahatback-probe/'))).toEqual([]);
  });

  it.each(FORBIDDEN_KEYS)('refuses the name %j everywhere', async (bad) => {
    const backend = get();
    const calls: (() => Promise<unknown>)[] = [
      () => backend.putIfAbsent(bad, Buffer.from('x')),
      () => backend.createUpload(bad),
      () => backend.stat(bad),
      () => backend.read(bad),
      () => backend.delete(bad),
      () => backend.signRead({ key: bad, expiresInSeconds: 60 }),
      () => backend.abortUpload(bad, 'a'.repeat(32)),
    ];
    for (const call of calls) await expect(call()).rejects.toEqual(code('PATH_FORBIDDEN'));
  });

  it('keeps what was published, and takes the same publication twice', async () => {
    const name = key('manifest.json');
    const bytes = randomBytes(1000);
    expect(await get().putIfAbsent(name, bytes)).toMatchObject({ key: name, sizeBytes: 1000 });
    expect(await get().putIfAbsent(name, bytes)).toMatchObject({ key: name, sizeBytes: 1000 });
    const stat = await get().stat(name);
    expect(stat).toMatchObject({ key: name, sizeBytes: 1000 });
    expect(Math.abs(Date.now() - (stat?.modifiedAt.getTime() ?? 0))).toBeLessThan(60_000);
    expect((await buffer(await get().read(name))).equals(bytes)).toBe(true);
  });

  it('never overwrites', async () => {
    const name = key('manifest.json');
    await get().putIfAbsent(name, Buffer.from('first'));
    await expect(get().putIfAbsent(name, Buffer.from('other'))).rejects.toEqual(code('OBJECT_EXISTS'));
    await expect(get().putIfAbsent(name, Buffer.from('longer than the first'))).rejects.toEqual(code('OBJECT_EXISTS'));
    expect((await buffer(await get().read(name))).toString()).toBe('first');
  });

  it('lets exactly one of racing publishers win', async () => {
    for (let round = 0; round < 5; round += 1) {
      const name = key('raced');
      const racers = Array.from({ length: 4 }, () => randomBytes(500));
      const results = await Promise.allSettled(racers.map((bytes) => get().putIfAbsent(name, bytes)));
      const winners = racers.filter((_, index) => results[index]?.status === 'fulfilled');
      const losers = results.filter((result) => result.status === 'rejected').map((result) => (result.reason as AppError).code);
      expect(winners).toHaveLength(1);
      expect(losers).toEqual(['OBJECT_EXISTS', 'OBJECT_EXISTS', 'OBJECT_EXISTS']);
      expect((await buffer(await get().read(name))).equals(winners[0] ?? Buffer.alloc(0))).toBe(true);
    }
  });

  it('says positively that an object is not there', async () => {
    expect(await get().stat(key('nothing'))).toBeUndefined();
    await expect(get().read(key('nothing'))).rejects.toEqual(code('OBJECT_MISSING'));
    await expect(get().read(key('nothing'), { start: 0, end: 1 })).rejects.toEqual(code('OBJECT_MISSING'));
    expect(await collect(get().list(key('nothing')))).toEqual([]);
  });

  it('deletes, and again', async () => {
    const name = key('short-lived');
    await get().putIfAbsent(name, Buffer.from('x'));
    await get().delete(name);
    await get().delete(name);
    expect(await get().stat(name)).toBeUndefined();
    await get().putIfAbsent(name, Buffer.from('y'));
    expect((await buffer(await get().read(name))).toString()).toBe('y');
  });

  it.each([
    [{ start: 0 }, 0, 100_000],
    [{ start: 0, end: 1 }, 0, 1],
    [{ start: 99_999 }, 99_999, 100_000],
    [{ start: 65_530, end: 65_550 }, 65_530, 65_550],
    [{ start: 5, end: 5 }, 5, 5],
    [{ start: 0, end: 100_000 }, 0, 100_000],
  ])('reads the range %j', async (range, start, end) => {
    const name = key('ranged');
    const bytes = randomBytes(100_000);
    await get().putIfAbsent(name, bytes);
    expect((await buffer(await get().read(name, range))).equals(bytes.subarray(start, end))).toBe(true);
  });

  it('refuses a range that leaves the object', async () => {
    const name = key('short');
    await get().putIfAbsent(name, randomBytes(100));
    for (const range of [{ start: 0, end: 101 }, { start: 100, end: 101 }, { start: 100 }, { start: 5_000, end: 5_001 }]) {
      await expect(get().read(name, range)).rejects.toEqual(code('DATA_TRUNCATED'));
    }
  });

  it('survives a reader that goes away', async () => {
    const name = key('abandoned');
    await get().putIfAbsent(name, randomBytes(3_000_000));
    for (let round = 0; round < 60; round += 1) (await get().read(name)).destroy();
    expect((await buffer(await get().read(name, { start: 10, end: 20 }))).length).toBe(10);
  });

  it('lists ascending by bytes and by exact prefix', async () => {
    const folder = key('l').slice(0, -2);
    const names = ['a', 'a-b', 'a.b', 'a/b', 'a/b-c', 'a/b/c', 'a0', 'b/x', 'B'].map((name) => `${folder}/${name}`);
    const stored = names.filter((name) => !names.some((other) => other.startsWith(`${name}/`)));
    for (const name of stored) await get().putIfAbsent(name, Buffer.from(name));
    const listed = await collect(get().list(`${folder}/`));
    expect(listed.map((object) => object.key)).toEqual([...stored].sort((a, b) => (a < b ? -1 : 1)));
    expect(listed.map((object) => object.sizeBytes)).toEqual(listed.map((object) => object.key.length));
    expect((await collect(get().list(`${folder}/a`))).map((object) => object.key)).toEqual(
      stored.filter((name) => name.startsWith(`${folder}/a`)).sort(),
    );
    expect((await collect(get().list(`${folder}/a/`))).map((object) => object.key)).toEqual(
      stored.filter((name) => name.startsWith(`${folder}/a/`)),
    );
  });

  it('lists past one page', async () => {
    const folder = key('p').slice(0, -2);
    const names = Array.from({ length: 1_040 }, (_, index) => `${folder}/${String(index).padStart(5, '0')}`);
    for (let offset = 0; offset < names.length; offset += 26) {
      await Promise.all(names.slice(offset, offset + 26).map((name) => get().putIfAbsent(name, Buffer.from('x'))));
    }
    expect((await collect(get().list(`${folder}/`))).map((object) => object.key)).toEqual(names);
  });

  it('signs a read of one object, whole or in ranges', async () => {
    const name = key('signed');
    const bytes = randomBytes(5_000);
    await get().putIfAbsent(name, bytes);
    const signed = await get().signRead({ key: name, expiresInSeconds: 60 });
    expect(await sendSigned(signed)).toMatchObject({ status: 200, body: bytes });
    expect(await sendSigned(signed, undefined, { range: 'bytes=10-19' })).toMatchObject({
      status: 206,
      body: bytes.subarray(10, 20),
    });
    expect((await sendSigned({ ...signed, url: lastCharacterChanged(signed.url) })).status).toBe(403);
    expect((await sendSigned({ ...signed, method: 'PUT' }, Buffer.from('evil'))).status).toBe(403);
    expect((await buffer(await get().read(name))).equals(bytes)).toBe(true);
    await expect(get().signRead({ key: name, expiresInSeconds: 3_601 })).rejects.toEqual(code('VALIDATION'));
  });
}

/** Another signature: its last hex digit is changed. */
export const lastCharacterChanged = (url: string): string => url.slice(0, -1) + (url.endsWith('0') ? '1' : '0');
