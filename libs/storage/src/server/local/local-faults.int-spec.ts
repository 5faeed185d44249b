import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, mkdtemp, readdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { AppError } from '@rahatback/contracts';
import { collect, partRequest, putPart, startLocalUrlServer, uploadParts } from '../../conformance/index.js';
import type { LocalUrlServer } from '../../conformance/index.js';
import { STORAGE_PART_SIZE_BYTES } from '../../limits.js';
import { LocalBackend } from './local-backend.js';
import type { LocalBackendConfig } from './local-backend.js';

const code = (expected: string): object => expect.objectContaining({ code: expected }) as object;
const signer = { signPart: () => Promise.resolve({ url: 'unused' }), signRead: () => Promise.resolve({ url: 'unused' }) };
const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();
const payload = (key: string, uploadId: string, body: Buffer, partNumber = 1) => ({
  ...partRequest(key, uploadId, partNumber, body),
  expiresAt: inAnHour(),
});

describe('the server disk', () => {
  let root: string;
  let server: LocalUrlServer;
  const open = (changed: Partial<LocalBackendConfig> = {}): LocalBackend =>
    new LocalBackend({ root, subfolder: 'default', signer, ...changed });
  const folder = (...names: string[]): string => join(root, 'default', ...names);

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'rahatback-disk-'));
    server = await startLocalUrlServer({ root, subfolder: 'default' });
  });
  afterEach(async () => {
    await server.close();
    await rm(root, { recursive: true });
  });

  it('is closed to everyone else', async () => {
    const { uploadId, parts } = await uploadParts(server.backend, 'ws/db/data-00001', randomBytes(1_000));
    const staging = (await stat(folder('.uploads', uploadId, 'staging'))).mode & 0o777;
    await server.backend.completeUpload({ key: 'ws/db/data-00001', uploadId, parts, expectedSizeBytes: 1_000 });
    await server.backend.putIfAbsent('ws/db/manifest.json', Buffer.from('{}'));
    for (const path of ['', 'ws', 'ws/db', '.uploads']) expect((await stat(folder(path))).mode & 0o777).toBe(0o700);
    for (const path of ['ws/db/data-00001', 'ws/db/manifest.json']) expect((await stat(folder(path))).mode & 0o777).toBe(0o600);
    expect(staging).toBe(0o600);
    expect(await readdir(folder('.uploads'))).toEqual([]);
  });

  it('removes the folders that a backup leaves empty, and no others', async () => {
    await server.backend.putIfAbsent('ws/db/1/manifest.json', Buffer.from('{}'));
    await server.backend.putIfAbsent('ws/other/manifest.json', Buffer.from('{}'));
    await server.backend.delete('ws/db/1/manifest.json');
    expect(await readdir(folder('ws'))).toEqual(['other']);
  });

  it.each(['../outside', '/etc', 'a/../../b', '..', '.', '', 'a//b', '.uploads', 'a\\..\\b', 'a\0b', ' a'])(
    'refuses the subfolder %j',
    (subfolder) => {
      expect(() => open({ subfolder })).toThrow(AppError);
    },
  );

  it('refuses a relative root, and a root that is a file', async () => {
    expect(() => open({ root: 'relative' })).toThrow(AppError);
    await writeFile(join(root, 'file'), 'x');
    await expect(open({ root: join(root, 'file') }).putIfAbsent('a', Buffer.from('x'))).rejects.toEqual(code('PATH_FORBIDDEN'));
  });

  it('never follows a planted link out of the storage', async () => {
    const outside = join(root, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'secret'), 'secret');
    await server.backend.probe();
    await symlink(outside, folder('ws'));
    await symlink(join(outside, 'secret'), folder('leaf'));
    await symlink(outside, join(root, 'linked'));
    const { backend } = server;
    const calls = [
      backend.read('ws/secret'),
      backend.putIfAbsent('ws/new', Buffer.from('x')),
      backend.delete('ws/secret'),
      backend.stat('ws/secret'),
      backend.read('leaf'),
      open({ subfolder: 'linked' }).read('secret'),
      open({ subfolder: 'linked/deeper' }).putIfAbsent('a', Buffer.from('x')),
    ];
    for (const call of calls) await expect(call).rejects.toEqual(code('PATH_FORBIDDEN'));
    expect(await collect(backend.list(''))).toEqual([]);
    await expect(backend.putIfAbsent('leaf', Buffer.from('x'))).rejects.toBeInstanceOf(AppError);
    expect(await readdir(outside)).toEqual(['secret']);
  });

  it('tells a disk that is not mounted from an empty storage', async () => {
    const gone = open({ root: join(root, 'not-mounted') });
    await expect(gone.stat('a')).rejects.toEqual(code('STORAGE_UNREACHABLE'));
    await expect(collect(gone.list(''))).rejects.toEqual(code('STORAGE_UNREACHABLE'));
    await expect(collect(gone.listUploads(''))).rejects.toEqual(code('STORAGE_UNREACHABLE'));
    await expect(gone.putIfAbsent('a', Buffer.from('x'))).rejects.toEqual(code('STORAGE_UNREACHABLE'));
    expect((await gone.probe()).checks).toMatchObject([{ name: 'write', ok: false, code: 'STORAGE_UNREACHABLE' }]);
  });

  (process.getuid?.() === 0 ? it.skip : it)(
    'does not take a folder that it may not write (root may write everywhere)',
    async () => {
      await chmod(root, 0o500);
      await expect(open().putIfAbsent('a', Buffer.from('x'))).rejects.toEqual(code('PATH_FORBIDDEN'));
      await chmod(root, 0o700);
    },
  );

  it('keeps a part once it came: same bytes again are fine, others are refused', async () => {
    const uploadId = await server.backend.createUpload('data-00001');
    const body = randomBytes(2_000);
    await putPart(server.backend, 'data-00001', uploadId, { partNumber: 1, body });
    await putPart(server.backend, 'data-00001', uploadId, { partNumber: 1, body });
    const other = randomBytes(2_000);
    await expect(server.backend.putPart(payload('data-00001', uploadId, other), Readable.from([other]))).rejects.toEqual(
      code('PART_INVALID'),
    );
    expect(await server.backend.listParts('data-00001', uploadId)).toHaveLength(1);
  });

  it('keeps nothing of a part whose sender dies', async () => {
    const uploadId = await server.backend.createUpload('data-00001');
    const body = randomBytes(100_000);
    const dying = Readable.from(
      (async function* () {
        yield await Promise.resolve(body.subarray(0, 50_000));
        throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
      })(),
    );
    await expect(server.backend.putPart(payload('data-00001', uploadId, body), dying)).rejects.toBeInstanceOf(AppError);
    expect((await readdir(folder('.uploads', uploadId))).sort()).toEqual(['staging', 'upload.json']);
    expect((await stat(folder('.uploads', uploadId, 'staging'))).size).toBe(0);
  });

  it('takes no part for another object, an unknown upload or after its time', async () => {
    const uploadId = await server.backend.createUpload('data-00001');
    const body = randomBytes(10);
    const put = (changed: object) =>
      server.backend.putPart({ ...payload('data-00001', uploadId, body), ...changed }, Readable.from([body]));
    await expect(put({ key: 'data-00002' })).rejects.toEqual(code('UPLOAD_MISSING'));
    await expect(put({ uploadId: '../../etc' })).rejects.toEqual(code('UPLOAD_MISSING'));
    await expect(put({ uploadId: 'f'.repeat(32) })).rejects.toEqual(code('UPLOAD_MISSING'));
    await expect(put({ expiresAt: new Date(Date.now() - 1).toISOString() })).rejects.toEqual(code('URL_EXPIRED'));
    await expect(put({ partNumber: 8_193 })).rejects.toEqual(code('PART_INVALID'));
  });

  it('completes after a kill between link and clean-up', async () => {
    const { uploadId, parts } = await uploadParts(server.backend, 'data-00001', randomBytes(5_000));
    const upload = folder('.uploads', uploadId);
    await rename(join(upload, 'staging'), join(upload, 'sealed'));
    await link(join(upload, 'sealed'), folder('data-00001'));
    const late = randomBytes(100);
    await expect(server.backend.putPart(payload('data-00001', uploadId, late, 2), Readable.from([late]))).rejects.toEqual(
      code('UPLOAD_MISSING'),
    );
    const done = await server.backend.completeUpload({ key: 'data-00001', uploadId, parts, expectedSizeBytes: 5_000 });
    expect(done).toMatchObject({ sizeBytes: 5_000 });
    expect(await readdir(folder('.uploads'))).toEqual([]);
  });

  it('completes after a kill between seal and link', async () => {
    const content = randomBytes(5_000);
    const { uploadId, parts } = await uploadParts(server.backend, 'data-00001', content);
    await rename(folder('.uploads', uploadId, 'staging'), folder('.uploads', uploadId, 'sealed'));
    await server.backend.completeUpload({ key: 'data-00001', uploadId, parts, expectedSizeBytes: 5_000 });
    expect((await buffer(await server.backend.read('data-00001'))).equals(content)).toBe(true);
  });

  it('an fsync that fails loses the upload, and no second try calls it stored', async () => {
    let isBroken = false;
    const sick = open({
      sync: async (file) => {
        if (isBroken) throw Object.assign(new Error('i/o error'), { code: 'EIO' });
        await file.sync();
      },
    });
    const body = randomBytes(3_000);
    const uploadId = await sick.createUpload('data-00001');
    const part = payload('data-00001', uploadId, body);
    const { etag } = await sick.putPart(part, Readable.from([body]));
    const request = {
      key: 'data-00001',
      uploadId,
      parts: [{ partNumber: 1, etag, sizeBytes: 3_000, md5Hex: etag }],
      expectedSizeBytes: 3_000,
    };
    isBroken = true;
    await expect(sick.completeUpload(request)).rejects.toEqual(code('STORAGE_PERMANENT'));
    await expect(sick.putIfAbsent('manifest.json', body)).rejects.toEqual(code('STORAGE_PERMANENT'));
    isBroken = false;
    await expect(sick.completeUpload(request)).rejects.toEqual(code('UPLOAD_MISSING'));
    expect(await collect(sick.list(''))).toEqual([]);
    expect(await readdir(folder('.uploads'))).toEqual([]);
  });

  it('sweeps temporary files of killed processes, and no living upload', async () => {
    const uploadId = await server.backend.createUpload('data-00001');
    const old = new Date(Date.now() - 3_600_000);
    await writeFile(folder('.uploads', 'put-manifest.json-0123'), 'x');
    await mkdir(folder('.uploads', 'new-0123'));
    for (const name of ['put-manifest.json-0123', 'new-0123', uploadId]) await utimes(folder('.uploads', name), old, old);
    await writeFile(folder('.uploads', 'put-young'), 'x');
    expect(await server.backend.removeStaleTemporaryFiles(60_000)).toBe(2);
    expect((await readdir(folder('.uploads'))).sort()).toEqual([uploadId, 'put-young'].sort());
  });

  it('compares needed with free space before the start', async () => {
    const freeBytes = await server.backend.freeBytes();
    expect(freeBytes).toBeGreaterThan(0);
    await server.backend.assertFreeSpace(1);
    await expect(server.backend.assertFreeSpace(Number.MAX_SAFE_INTEGER)).rejects.toMatchObject({
      code: 'NO_SPACE',
      details: { neededBytes: Number.MAX_SAFE_INTEGER },
    });
  });
});

/** A file system of 12 MiB that is really full when it is full. */
const mounted = ((): string | undefined => {
  const made = spawnSync('mktemp', ['-d', '-t', 'rahatback-small-XXXXXX'], { encoding: 'utf8' });
  const path = made.stdout.trim();
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=12m,mode=700', 'tmpfs', path]).status === 0) return path;
  spawnSync('rmdir', [path]);
  return undefined;
})();

(mounted ? describe : describe.skip)('a disk that fills up (needs the right to mount; skipped without)', () => {
  const root = mounted ?? '';
  afterAll(() => {
    spawnSync('umount', [root]);
    spawnSync('rmdir', [root]);
  });

  it('answers NO_SPACE, shows no name, and gives every byte back', async () => {
    const backend = new LocalBackend({ root, subfolder: 'default', signer });
    await backend.putIfAbsent('warm', Buffer.from('x'));
    const freeBefore = await backend.freeBytes();
    const uploadId = await backend.createUpload('data-00001');
    const body = randomBytes(STORAGE_PART_SIZE_BYTES);
    // A part needs its bytes twice for a moment, which this disk does not have.
    await expect(backend.putPart(payload('data-00001', uploadId, body), Readable.from([body]))).rejects.toEqual(code('NO_SPACE'));
    expect(await backend.listParts('data-00001', uploadId)).toEqual([]);
    await expect(backend.putIfAbsent('huge', randomBytes(13 * 1024 * 1024))).rejects.toEqual(code('NO_SPACE'));
    await backend.abortUpload('data-00001', uploadId);
    expect((await collect(backend.list(''))).map((object) => object.key)).toEqual(['warm']);
    expect(await readdir(join(root, 'default', '.uploads'))).toEqual([]);
    expect(await backend.freeBytes()).toBe(freeBefore);
  });

  it('answers PATH_FORBIDDEN on a read-only file system', async () => {
    const backend = new LocalBackend({ root, subfolder: 'default', signer });
    expect(spawnSync('mount', ['-o', 'remount,ro', root]).status).toBe(0);
    try {
      await expect(backend.putIfAbsent('new', Buffer.from('x'))).rejects.toEqual(code('PATH_FORBIDDEN'));
      await expect(backend.createUpload('data-00001')).rejects.toEqual(code('PATH_FORBIDDEN'));
    } finally {
      spawnSync('mount', ['-o', 'remount,rw', root]);
    }
  });
});
