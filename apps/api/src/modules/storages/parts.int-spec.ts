import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { PassThrough } from 'node:stream';
import type { ErrorBody, SignedRequest, StorageView } from '@rahatback/contracts';
import { STORAGE_PART_SIZE_BYTES, type StorageBackend } from '@rahatback/storage';
import { waitFor } from '@rahatback/testing';
import { startApi, type Registered, type RunningApi } from '../../testing/start-api.js';
import { PartGate, type PartAttempt } from './part-gate.js';
import { StorageFactory } from './storage-factory.js';

describe('parts of the server disk', () => {
  let api: RunningApi;
  let owner: Registered;
  let backend: StorageBackend;
  let folder: string;
  let isOpen: (attempt: PartAttempt) => boolean = () => true;
  const asked: PartAttempt[] = [];
  const log = new PassThrough();
  let logged = '';

  beforeAll(async () => {
    log.on('data', (line: Buffer) => (logged += line.toString()));
    api = await startApi({ worker: false, logDestination: log, config: { logLevel: 'info' } });
    owner = await api.register();
    const { body } = await api.call('POST', '/v1/storages', {
      token: owner.accessToken,
      body: { storageType: 'local', name: 'disk' },
    });
    const opened = await api.database.inWorkspace(owner.workspaceId, (tx) =>
      api.app.get(StorageFactory).open(tx, owner.workspaceId, (body as StorageView).id),
    );
    backend = opened.backend;
    api.app.get(PartGate).register((attempt) => {
      asked.push(attempt);
      return Promise.resolve(isOpen(attempt));
    });
  }, 60_000);
  afterAll(() => api.stop());
  beforeEach(() => {
    isOpen = () => true;
    folder = `${owner.workspaceId}/${randomUUID()}/${randomUUID()}/3`;
  });

  const sign = async (
    bytes: Buffer,
    key = `${folder}/data-00001`,
  ): Promise<{ key: string; uploadId: string; request: SignedRequest }> => {
    const uploadId = await backend.createUpload(key);
    return { key, uploadId, request: await signAgain(bytes, key, uploadId) };
  };
  const signAgain = (bytes: Buffer, key: string, uploadId: string): Promise<SignedRequest> =>
    backend.signPart({
      key,
      uploadId,
      partNumber: 1,
      sizeBytes: bytes.length,
      sha256Hex: createHash('sha256').update(bytes).digest('hex'),
      md5Base64: createHash('md5').update(bytes).digest('base64'),
      expiresInSeconds: 60,
    });
  const put = async (url: string, body: Buffer, headers: Record<string, string> = {}) => {
    const response = await fetch(url, { method: 'PUT', body: new Uint8Array(body), headers });
    const text = await response.text();
    const code = text === '' ? undefined : (JSON.parse(text) as ErrorBody).code;
    return { status: response.status, etag: response.headers.get('etag'), code };
  };

  it('take exactly the bytes that were announced, and make them an object', async () => {
    const bytes = randomBytes(STORAGE_PART_SIZE_BYTES);
    const { key, uploadId, request } = await sign(bytes);
    expect(request.url.startsWith(`${api.config.publicUrl}/v1/parts/`)).toBe(true);
    const md5Hex = createHash('md5').update(bytes).digest('hex');
    expect(await put(request.url, bytes)).toEqual({ status: 200, etag: `"${md5Hex}"`, code: undefined });
    const [, databaseId, backupId] = folder.split('/');
    expect(asked.at(-1)).toEqual({
      method: 'PUT',
      ownerId: owner.workspaceId,
      workspaceId: owner.workspaceId,
      databaseId,
      backupId,
      fence: 3,
      object: 'data-00001',
    });
    const part = { partNumber: 1, sizeBytes: bytes.length, etag: md5Hex, md5Hex };
    await backend.completeUpload({ key, uploadId, parts: [part], expectedSizeBytes: bytes.length });
    expect((await buffer(await backend.read(key))).equals(bytes)).toBe(true);
  });

  it('pass JSON and anything else by the parsers', async () => {
    const bytes = Buffer.from('{"not": "parsed",,');
    const { request } = await sign(bytes);
    expect(await put(request.url, bytes, { 'content-type': 'application/json' })).toMatchObject({ status: 200 });
  });

  it('are used once, also by two who come at once', async () => {
    const bytes = randomBytes(100_000);
    const { key, uploadId, request } = await sign(bytes);
    const both = await Promise.all([put(request.url, bytes), put(request.url, bytes)]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 403]);
    expect(await put(request.url, bytes)).toMatchObject({ status: 403, code: 'URL_EXPIRED' });
    const fresh = await signAgain(bytes, key, uploadId);
    expect(await put(fresh.url, bytes)).toMatchObject({ status: 200 });
  });

  it('refuse other lengths and other bytes, and can then be tried again', async () => {
    const bytes = randomBytes(5_000);
    const { request } = await sign(bytes);
    expect(await put(request.url, bytes.subarray(1))).toMatchObject({ status: 422, code: 'PART_INVALID' });
    expect(await put(request.url, randomBytes(5_000))).toMatchObject({ status: 422, code: 'PART_INVALID' });
    expect(await put(request.url, Buffer.concat([bytes, bytes]))).toMatchObject({ status: 422, code: 'PART_INVALID' });
    expect(await put(request.url, bytes)).toMatchObject({ status: 200 });
  });

  it('answer a body far too long before it has been sent', async () => {
    const { request } = await sign(randomBytes(10));
    const endless = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) });
    const sent = fetch(request.url, { method: 'PUT', body: endless, duplex: 'half' });
    const outcome = await sent.then(
      (response) => response.status,
      () => 'cut',
    );
    expect([422, 'cut']).toContain(outcome);
  });

  it('stop when the attempt is over, and know which', async () => {
    const bytes = randomBytes(10);
    const { request } = await sign(bytes);
    isOpen = ({ fence }) => fence !== 3;
    expect(await put(request.url, bytes)).toMatchObject({ status: 403, code: 'URL_EXPIRED' });
  });

  it('open for what they were made for only', async () => {
    const bytes = randomBytes(10);
    const { key, request } = await sign(bytes);
    const at = request.url.lastIndexOf('.');
    const tampered = `${request.url.slice(0, at - 1)}${request.url[at - 1] === 'A' ? 'B' : 'A'}${request.url.slice(at)}`;
    expect(await put(tampered, bytes)).toMatchObject({ status: 403, code: 'URL_EXPIRED' });
    expect((await fetch(request.url)).status).toBe(403);
    const read = await backend.signRead({ key, expiresInSeconds: 60 });
    expect(await put(read.url, bytes)).toMatchObject({ status: 403, code: 'URL_EXPIRED' });
    expect((await fetch(read.url)).status).toBe(404);
    // A key that belongs to another workspace than the storage does.
    const foreign = await sign(bytes, `${randomUUID()}/${randomUUID()}/${randomUUID()}/1/index`);
    expect(await put(foreign.request.url, bytes)).toMatchObject({ status: 403, code: 'URL_EXPIRED' });
  });

  it('are read whole and in ranges, often, until they expire', async () => {
    const bytes = randomBytes(300_000);
    const key = `${folder}/index`;
    await backend.putIfAbsent(key, bytes);
    const { url } = await backend.signRead({ key, expiresInSeconds: 2 });
    const get = async (range?: string) => {
      const response = await fetch(url, range === undefined ? {} : { headers: { range } });
      return {
        status: response.status,
        range: response.headers.get('content-range'),
        body: Buffer.from(await response.arrayBuffer()),
      };
    };
    const whole = await get();
    expect(whole).toMatchObject({ status: 200, range: null });
    expect(whole.body.equals(bytes)).toBe(true);
    const middle = await get('bytes=1000-1999');
    expect(middle).toMatchObject({ status: 206, range: 'bytes 1000-1999/300000' });
    expect(middle.body.equals(bytes.subarray(1000, 2000))).toBe(true);
    expect((await get('bytes=299999-')).body.equals(bytes.subarray(-1))).toBe(true);
    expect((await get('bytes=300000-')).status).toBe(400);
    await waitFor(async () => (await get()).status === 403, { describe: 'the address to expire', timeoutMs: 5_000 });
  });

  it('leave no ticket in the log', async () => {
    const bytes = randomBytes(10);
    const { request } = await sign(bytes);
    await put(request.url, bytes);
    await put(request.url, bytes);
    const ticket = request.url.split('/').at(-1) ?? '';
    await waitFor(() => logged.includes('/v1/parts/'), { describe: 'the requests to be logged' });
    expect(logged).not.toContain(ticket);
    expect(logged).not.toContain(ticket.slice(0, 40));
  });
});
