import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { startRgw, startS3FaultProxy } from '@rahatback/testing/s3';
import type { PrivateS3, S3Fault, S3FaultProxy } from '@rahatback/testing/s3';
import { backendDownloadControl, backendUploadControl, collect, startLocalUrlServer } from '../conformance/index.js';
import { STORAGE_PART_SIZE_BYTES } from '../limits.js';
import { S3Backend } from '../server/s3/s3-backend.js';
import type { StorageBackend } from '../server/storage-backend.js';
import { withRetry } from '../server/with-retry.js';
import { BackendSource } from './backend-source.js';
import type { UploadPoint } from './backup-sink.js';
import { HttpTransfer } from './http-transfer.js';
import { SignedUrlSink } from './signed-url-sink.js';
import { SignedUrlSource } from './signed-url-source.js';

/** Quick, and patient enough for a store of which every third answer is an error. */
const RETRY = { attempts: 12, baseDelayMs: 1, maxDelayMs: 20 };
const SEED = 20_261_120;

const content = randomBytes(4 * STORAGE_PART_SIZE_BYTES + 54_321);
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const code = (expected: string): object => expect.objectContaining({ code: expected }) as object;

/** Writes in pieces that fit no boundary, in one buffer used again and again as a pipeline would. */
async function writeAll(sink: { write(bytes: Buffer): Promise<void> }, bytes: Buffer): Promise<void> {
  const piece = Buffer.alloc(777_777);
  for (let offset = 0; offset < bytes.length; offset += piece.length) {
    const length = bytes.copy(piece, 0, offset, offset + piece.length);
    await sink.write(piece.subarray(0, length));
    piece.fill(0);
  }
}

describe('an upload to S3 on its worst days', () => {
  let server: PrivateS3;
  let proxy: S3FaultProxy;
  let bare: S3Backend;
  let clean: S3Backend;
  let backend: StorageBackend;
  let prefix: string;
  const transfer = new HttpTransfer({ idleTimeoutMs: 20_000 });

  beforeAll(async () => {
    server = await startRgw();
    proxy = await startS3FaultProxy(server.endpoint, SEED);
    const bucket = await server.createBucket();
    bare = new S3Backend({ ...server, endpoint: proxy.endpoint, bucket });
    clean = new S3Backend({ ...server, bucket });
    backend = withRetry(bare, RETRY);
  }, 120_000);
  beforeEach(() => {
    proxy.reset();
    prefix = `ws/db/${randomBytes(6).toString('hex')}/1`;
  });
  afterAll(async () => {
    transfer.close();
    bare.close();
    clean.close();
    await proxy.stop();
    await server.stop();
  });

  const upload = async (
    options: { expiresInSeconds?: number; onPoint?: (point: UploadPoint) => void; maxParts?: number; attempts?: number } = {},
  ) => {
    const { onPoint, attempts, ...control } = options;
    const retry = { ...RETRY, ...(attempts ? { attempts } : {}) };
    const sink = new SignedUrlSink(backendUploadControl(backend, prefix, control), {
      retry,
      transfer,
      ...(onPoint ? { onPoint } : {}),
    });
    try {
      const object = await sink.beginObject('data-00001');
      await writeAll(object, content);
      return await object.complete();
    } catch (error) {
      await sink.abort();
      throw error;
    }
  };
  const expectStored = async (): Promise<void> => {
    expect(sha256(await buffer(await clean.read(`${prefix}/data-00001`)))).toBe(sha256(content));
    expect(await collect(clean.listUploads(prefix))).toEqual([]);
  };
  const expectNothing = async (): Promise<void> => {
    expect(await clean.stat(`${prefix}/data-00001`)).toBeUndefined();
    expect(await collect(clean.listUploads(prefix))).toEqual([]);
  };
  /** Until the proxy has got such a request. */
  const seen = async (operation: string): Promise<void> => {
    const deadline = Date.now() + 10_000;
    while (!proxy.requests.some((request) => request.operation === operation)) {
      if (Date.now() > deadline) throw new Error(`no ${operation} came`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const puts = (partNumber: number): number =>
    proxy.requests.filter((request) => request.operation === 'UploadPart' && request.partNumber === partNumber).length;

  it('stores the same bytes and passes every crash point', async () => {
    const points: UploadPoint[] = [];
    const done = await upload({ onPoint: (point) => points.push(point) });
    expect(done).toMatchObject({ sizeBytes: content.length, sha256: sha256(content) });
    await expectStored();
    expect(points.filter((point) => point === 'upload.part.before_put')).toHaveLength(5);
    expect(points.filter((point) => point === 'upload.part.after_put')).toHaveLength(5);
    expect(points.at(-1)).toBe('upload.after_last_part');
  });

  it('rides out 30 % of 500 and 503 on every call, both ways', async () => {
    const every: S3Fault['operation'] = [
      'CreateUpload',
      'UploadPart',
      'ListParts',
      'CompleteUpload',
      'PutObject',
      'GetObject',
      'HeadObject',
      'ListObjects',
      'ListUploads',
      'DeleteObject',
    ];
    proxy.add({
      operation: every,
      action: { kind: 'refuse', status: 503, code: 'SlowDown' },
      probability: 0.18,
      times: Infinity,
    });
    proxy.add({
      operation: every,
      action: { kind: 'refuse', status: 500, code: 'InternalError' },
      probability: 0.15,
      times: Infinity,
    });
    await upload();
    await expectStored();
    const manifest = randomBytes(2_000);
    await backend.putIfAbsent(`${prefix}/manifest.json`, manifest);
    const source = new SignedUrlSource(backendDownloadControl(backend, prefix), { retry: RETRY, transfer });
    expect(sha256(await buffer(await source.read('data-00001')))).toBe(sha256(content));
    expect((await collect(backend.list(`${prefix}/`))).map((object) => object.key)).toEqual([
      `${prefix}/data-00001`,
      `${prefix}/manifest.json`,
    ]);
    expect(Math.min(...proxy.strikes())).toBeGreaterThan(0);
  });

  it('gives up cleanly when the store stays away', async () => {
    proxy.add({ operation: 'UploadPart', action: { kind: 'refuse', status: 503, code: 'SlowDown' }, after: 2, times: Infinity });
    await expect(upload()).rejects.toEqual(code('STORAGE_TRANSIENT'));
    await expectNothing();
  });

  it('puts a part again when the answer was lost', async () => {
    proxy.add({
      operation: 'UploadPart',
      matches: (request) => request.partNumber === 2,
      action: { kind: 'lose-answer' },
      times: 2,
    });
    proxy.add({ operation: 'UploadPart', matches: (request) => request.partNumber === 4, action: { kind: 'reset' } });
    await upload();
    expect([puts(1), puts(2), puts(4)]).toEqual([1, 3, 2]);
    await expectStored();
  });

  it('treats 200 with an error document as a failure, and tries again', async () => {
    proxy.add({ operation: 'CompleteUpload', action: { kind: 'error-in-200', code: 'InternalError', isDone: false } });
    await upload();
    expect(proxy.strikes()).toEqual([1]);
    await expectStored();
  });

  it('never calls an object complete that the store did not complete', async () => {
    proxy.add({
      operation: 'CompleteUpload',
      action: { kind: 'error-in-200', code: 'InternalError', isDone: false },
      times: Infinity,
    });
    await expect(upload({ attempts: 2 })).rejects.toEqual(code('STORAGE_TRANSIENT'));
    await expectNothing();
  });

  it.each([{ kind: 'lose-answer' as const }, { kind: 'error-in-200' as const, code: 'InternalError', isDone: true }])(
    'asks for the object when the completion is unclear (%j)',
    async (action) => {
      proxy.add({ operation: 'CompleteUpload', action });
      await upload();
      expect(proxy.strikes()).toEqual([1]);
      expect(proxy.requests.filter((request) => request.operation === 'CompleteUpload')).toHaveLength(1);
      await expectStored();
    },
  );

  it('decides later when the object cannot be asked for at once', async () => {
    proxy.add({ operation: 'CompleteUpload', action: { kind: 'lose-answer' } });
    proxy.add({ operation: 'HeadObject', action: { kind: 'reset' }, after: 1, times: 2 });
    await upload();
    expect(proxy.strikes()).toEqual([1, 2]);
    await expectStored();
  });

  it('completes nothing when a part is missing from the store', async () => {
    proxy.add({ operation: 'UploadPart', matches: (request) => request.partNumber === 3, action: { kind: 'swallow-part' } });
    await expect(upload()).rejects.toMatchObject({ code: 'PART_INVALID', details: { partNumber: 3 } });
    expect(proxy.requests.some((request) => request.operation === 'CompleteUpload')).toBe(false);
    await expectNothing();
  });

  it('says that a volume is full before its bytes are lost', async () => {
    await expect(upload({ maxParts: 3 })).rejects.toMatchObject({
      code: 'PART_INVALID',
      message: expect.stringContaining('3 parts'),
    });
    await expectNothing();
  });

  it('renews an expired URL', async () => {
    proxy.add({
      operation: 'UploadPart',
      matches: (request) => request.partNumber === 2,
      action: { kind: 'delay', delayMs: 4_500 },
    });
    await upload({ expiresInSeconds: 3 });
    expect(puts(2)).toBeGreaterThan(1);
    await expectStored();
  });

  it.each([
    ['AccessDenied', 403, 'S3_DENIED'],
    ['NoSuchBucket', 404, 'S3_BUCKET'],
  ])('fails fast when the store answers %s in the middle', async (s3Code, status, expected) => {
    proxy.add({ operation: 'UploadPart', action: { kind: 'refuse', status, code: s3Code }, after: 2, times: Infinity });
    await expect(upload()).rejects.toEqual(code(expected));
    expect(proxy.requests.filter((request) => request.operation === 'UploadPart').length).toBeLessThan(12);
    await expectNothing();
  });

  it('tells a lost answer from a lost race', async () => {
    const key = `${prefix}/manifest.json`;
    const ours = randomBytes(500);
    proxy.add({ operation: 'PutObject', action: { kind: 'lose-answer' } });
    expect(await backend.putIfAbsent(key, ours)).toMatchObject({ sizeBytes: 500 });
    expect(proxy.strikes()).toEqual([1]);
    await expect(backend.putIfAbsent(key, randomBytes(500))).rejects.toEqual(code('OBJECT_EXISTS'));
    expect((await buffer(await clean.read(key))).equals(ours)).toBe(true);
  });

  it('loses to a publisher that came between', async () => {
    const key = `${prefix}/manifest.json`;
    const theirs = randomBytes(300);
    await clean.putIfAbsent(`${prefix}/warm`, Buffer.from('x'));
    // Our first look finds nothing; the other one publishes while our PUT is under way.
    proxy.add({ operation: 'PutObject', action: { kind: 'delay', delayMs: 1_000 } });
    const ours = backend.putIfAbsent(key, randomBytes(300));
    ours.catch(() => undefined);
    await seen('PutObject');
    await clean.putIfAbsent(key, theirs);
    await expect(ours).rejects.toEqual(code('OBJECT_EXISTS'));
    expect((await buffer(await clean.read(key))).equals(theirs)).toBe(true);
  });

  it('resumes a broken read at the next byte, by URL and by bucket', async () => {
    await upload();
    proxy.reset();
    proxy.add({ operation: 'GetObject', action: { kind: 'cut-answer', afterBytes: 1_000_000 }, times: 3 });
    const signed = new SignedUrlSource(backendDownloadControl(backend, prefix), { retry: RETRY, transfer });
    expect(sha256(await buffer(await signed.read('data-00001')))).toBe(sha256(content));
    expect(proxy.requests.filter((request) => request.operation === 'GetObject')).toHaveLength(4);

    proxy.add({ operation: 'GetObject', action: { kind: 'cut-answer', afterBytes: 500_000 }, times: 3 });
    const direct = new BackendSource(backend, prefix);
    const range = { start: 123, end: content.length - 45 };
    expect(sha256(await buffer(await direct.read('data-00001', range)))).toBe(sha256(content.subarray(range.start, range.end)));
    expect(proxy.strikes()).toEqual([3, 3]);
  });

  it('never shows an empty or shortened list for an error', async () => {
    proxy.add({ operation: 'ListObjects', action: { kind: 'refuse', status: 500, code: 'InternalError' }, times: Infinity });
    await expect(collect(bare.list(prefix))).rejects.toEqual(code('STORAGE_TRANSIENT'));
    proxy.reset();
    proxy.add({ operation: 'HeadObject', action: { kind: 'refuse', status: 404, code: 'ignored' }, times: Infinity });
    proxy.add({ operation: 'GetObject', action: { kind: 'refuse', status: 404, code: 'PageNotFound' }, times: Infinity });
    await expect(bare.stat(`${prefix}/data-00001`)).rejects.toEqual(code('STORAGE_PERMANENT'));
  });

  it('stops what it is sending when it is aborted', async () => {
    proxy.add({ operation: 'UploadPart', action: { kind: 'delay', delayMs: 60_000 }, times: Infinity });
    const sink = new SignedUrlSink(backendUploadControl(backend, prefix), { retry: RETRY, transfer });
    const object = await sink.beginObject('data-00001');
    const writing = writeAll(object, content);
    writing.catch(() => undefined);
    await seen('UploadPart');
    await sink.abort();
    await expect(writing).rejects.toEqual(code('CANCELLED'));
    await expectNothing();
  });
});

it('sends to and reads from the server disk through the same sink and source', async () => {
  const root = await mkdtemp(join(tmpdir(), 'rahatback-sink-'));
  const server = await startLocalUrlServer({ root, subfolder: 'default' });
  const transfer = new HttpTransfer();
  try {
    const sink = new SignedUrlSink(backendUploadControl(server.backend, 'b/1'), { retry: RETRY, transfer });
    const object = await sink.beginObject('data-00001');
    await writeAll(object, content);
    const completed = await object.complete();
    expect(completed).toMatchObject({ sizeBytes: content.length, sha256: sha256(content) });
    await sink.publish('index', Buffer.from('the index'));
    const source = new SignedUrlSource(backendDownloadControl(server.backend, 'b/1'), { retry: RETRY, transfer });
    expect(await source.stat('data-00001')).toEqual({ sizeBytes: content.length, stamp: completed.stamp });
    expect(sha256(await buffer(await source.read('data-00001')))).toBe(sha256(content));
    expect((await buffer(await source.read('index', { start: 4, end: 9 }))).toString()).toBe('index');
    await expect(source.read('index', { start: 4, end: 99 })).rejects.toEqual(code('DATA_TRUNCATED'));
  } finally {
    transfer.close();
    await server.close();
    await rm(root, { recursive: true });
  }
});
