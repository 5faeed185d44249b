import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CreateStorageDto, ErrorBody, Page, StorageTestAnswer, StorageView } from '@rahatback/contracts';
import { CanarySet, freePort, startRgw, type PrivateS3 } from '@rahatback/testing';
import { startApi, type Registered, type RunningApi } from '../../testing/start-api.js';
import { StorageFactory } from './storage-factory.js';

describe('storages', () => {
  let api: RunningApi;
  let s3: PrivateS3;
  let bucket: string;
  let owner: Registered;
  const canaries = new CanarySet();

  beforeAll(async () => {
    [api, s3] = await Promise.all([startApi({ worker: false }), startRgw()]);
    bucket = await s3.createBucket();
    owner = await api.register();
  }, 120_000);
  afterAll(() => Promise.all([api.stop(), s3.stop()]));

  const call = <T>(method: string, path: string, body?: object, person = owner) =>
    api.call(method, path, { token: person.accessToken, ...(body ? { body } : {}) }) as Promise<{ status: number; body: T }>;
  const create = (dto: Partial<CreateStorageDto>, person = owner) =>
    call<StorageView & ErrorBody>('POST', '/v1/storages', dto, person);
  const s3Dto = (changes: Partial<CreateStorageDto> = {}): CreateStorageDto => ({
    storageType: 's3',
    name: 'cloud',
    s3Endpoint: s3.endpoint,
    s3Region: s3.region,
    s3Bucket: bucket,
    s3AccessKeyId: s3.accessKeyId,
    s3SecretAccessKey: s3.secretAccessKey,
    ...changes,
  });

  it('on the server disk need a name only, and the first of its type is the default', async () => {
    const person = await api.register();
    const first = await create({ storageType: 'local', name: 'disk' }, person);
    expect(first).toMatchObject({
      status: 201,
      body: { isDefault: true, path: 'default', hasCredentials: false, s3Bucket: null },
    });
    const second = await create({ storageType: 'local', name: 'archive', path: 'cold/2026' }, person);
    expect(second).toMatchObject({ status: 201, body: { isDefault: false, path: 'cold/2026' } });
    const list = await call<Page<StorageView>>('GET', '/v1/storages?limit=1&page=2', undefined, person);
    expect(list.body).toMatchObject({ page: 2, limit: 1, totalPages: 2, totalResults: 2 });
    expect(list.body.results.map(({ id }) => id)).toEqual([second.body.id]);
  });

  it('have one default per type, whoever asks at once', async () => {
    const person = await api.register();
    const made = await Promise.all(
      Array.from({ length: 8 }, (_one, index) => create({ storageType: 'local', name: `n${index}` }, person)),
    );
    expect(made.map(({ status }) => status)).toEqual(Array(8).fill(201));
    expect(made.filter(({ body }) => body.isDefault)).toHaveLength(1);
    const patched = await Promise.all(
      made.map(({ body }) => call<StorageView>('PATCH', `/v1/storages/${body.id}`, { isDefault: true }, person)),
    );
    expect(patched.map(({ status }) => status)).toEqual(Array(8).fill(200));
    const list = await call<Page<StorageView>>('GET', '/v1/storages', undefined, person);
    expect(list.body.results.filter(({ isDefault }) => isDefault)).toHaveLength(1);
  });

  it.each(['../../etc', '/etc', 'a/../../b', 'a//b', '.hidden', 'a\\b'])('refuse the path %j', async (path) => {
    expect(await create({ storageType: 'local', name: 'escape', path })).toMatchObject({
      status: 400,
      body: { code: 'PATH_FORBIDDEN' },
    });
  });

  it('refuse a path that is a file or leads through a symbolic link', async () => {
    const root = join(api.config.storageRoot, owner.workspaceId);
    await mkdir(root, { recursive: true });
    await writeFile(join(root, 'file'), '');
    await symlink('/tmp', join(root, 'link'));
    for (const path of ['file', 'link', 'link/x', 'file/x']) {
      expect(await create({ storageType: 'local', name: path, path })).toMatchObject({
        status: 400,
        body: { code: 'PATH_FORBIDDEN' },
      });
    }
  });

  it.each<[string, Partial<CreateStorageDto>, string, string]>([
    ['no endpoint and region', { s3Endpoint: undefined, s3Region: undefined }, 'VALIDATION', 's3Endpoint'],
    ['no keys', { s3AccessKeyId: undefined, s3SecretAccessKey: undefined }, 'VALIDATION', 's3SecretAccessKey'],
    ['no bucket', { s3Bucket: undefined }, 'VALIDATION', 's3Bucket'],
    ['a metadata address', { s3Endpoint: 'http://169.254.169.254' }, 'HOST_FORBIDDEN', 'metadata'],
    ['a mapped metadata address', { s3Endpoint: 'http://[::ffff:169.254.169.254]' }, 'HOST_FORBIDDEN', 'metadata'],
    ['a password in the endpoint', { s3Endpoint: 'http://user:pass@127.0.0.1' }, 'HOST_FORBIDDEN', 'password'],
    ['a prefix that climbs', { s3Prefix: '../up' }, 'PATH_FORBIDDEN', '..'],
    ['google_drive', { storageType: 'google_drive' }, 'VALIDATION', 'Google Drive'],
  ])('refuse %s', async (_what, changes, code, word) => {
    const { status, body } = await create(s3Dto(changes));
    expect({ status, code: body.code }).toEqual({ status: 400, code });
    expect(body.message).toContain(word);
  });

  it('take both keys anew when the old ones do not open any more or are gone', async () => {
    const person = await api.register();
    const { body: saved } = await create(s3Dto({ name: 'lost keys' }), person);
    const patch = (keys: object) => call<StorageView & ErrorBody>('PATCH', `/v1/storages/${saved.id}`, keys, person);
    const both = { s3AccessKeyId: s3.accessKeyId, s3SecretAccessKey: s3.secretAccessKey };
    for (const credentials of [null, '1|kek-of-nobody|AAAAAAAAAAAAAAAA|AAAA|AAAAAAAAAAAAAAAAAAAAAA']) {
      await api.postgres.query('UPDATE storages SET credentials = $2 WHERE id = $1', [saved.id, credentials]);
      const half = await patch({ s3SecretAccessKey: s3.secretAccessKey });
      expect([half.status, half.body.code]).toEqual(credentials === null ? [400, 'VALIDATION'] : [422, 'S3_CREDENTIALS']);
      expect(await patch(both)).toMatchObject({ status: 200, body: { hasCredentials: true } });
      expect(await call('POST', `/v1/storages/${saved.id}/test`, undefined, person)).toMatchObject({ body: { success: true } });
    }
  });

  it('in a private network are refused unless the settings allow it, also those that were saved before', async () => {
    const person = await api.register();
    const saved = await create(s3Dto({ name: 'soon forbidden' }), person);
    const strict = await startApi({
      worker: false,
      database: api.postgres,
      redis: api.redis,
      config: { outboundAllow: [], keysDir: api.config.keysDir },
    });
    try {
      const send = (path: string, body?: object) =>
        strict.call('POST', path, { token: person.accessToken, ...(body ? { body } : {}) });
      for (const path of ['/v1/storages', '/v1/storages/test', `/v1/storages/${saved.body.id}/test`]) {
        const answer = await send(path, path.includes(saved.body.id) ? undefined : s3Dto());
        expect([path, answer]).toMatchObject([
          path,
          { status: 400, body: { code: 'HOST_FORBIDDEN', message: expect.stringContaining('OUTBOUND_ALLOW') } },
        ]);
      }
    } finally {
      await strict.stop();
    }
  });

  it('refuse file and gopher endpoints', async () => {
    for (const s3Endpoint of ['file:///etc/passwd', 'gopher://127.0.0.1']) {
      expect(await create(s3Dto({ s3Endpoint }))).toMatchObject({ status: 400, body: { code: 'VALIDATION' } });
    }
  });

  it('in S3 are tested before and after they are saved, and work', async () => {
    const unsaved = await call<StorageTestAnswer>('POST', '/v1/storages/test', s3Dto());
    expect(unsaved).toMatchObject({ status: 200, body: { success: true } });
    expect(unsaved.body.checks.map(({ name }) => name)).toEqual(['write', 'read', 'list', 'multipart', 'delete']);
    const { body: saved } = await create(s3Dto({ s3Prefix: '/deep/down/' }));
    expect(saved).toMatchObject({ s3Prefix: 'deep/down', s3ForcePathStyle: true, hasCredentials: true, isDefault: true });
    expect(await call('POST', `/v1/storages/${saved.id}/test`)).toMatchObject({ status: 200, body: { success: true } });
    const { backend } = await api.database.inWorkspace(owner.workspaceId, (tx) =>
      api.app.get(StorageFactory).open(tx, owner.workspaceId, saved.id),
    );
    await backend.putIfAbsent('a/b', Buffer.from('x'));
    expect(await backend.stat('a/b')).toMatchObject({ sizeBytes: 1 });
  });

  it('name what is wrong with bucket, keys, rights and host', async () => {
    const nobody = await s3.createUser('nobody');
    const test = async (changes: Partial<CreateStorageDto>): Promise<StorageTestAnswer> =>
      (await call<StorageTestAnswer>('POST', '/v1/storages/test', s3Dto(changes))).body;
    expect(await test({ s3Bucket: 'no-such-bucket-here' })).toMatchObject({ success: false, code: 'S3_BUCKET' });
    expect(await test({ s3SecretAccessKey: 'wrong' })).toMatchObject({ success: false, code: 'S3_CREDENTIALS' });
    const denied = await test({ s3AccessKeyId: nobody.accessKeyId, s3SecretAccessKey: nobody.secretAccessKey });
    expect(denied).toMatchObject({ success: false, code: 'S3_DENIED', message: expect.stringContaining('s3:PutObject') });
    expect(await test({ s3Endpoint: `http://127.0.0.1:${await freePort()}` })).toMatchObject({
      success: false,
      code: 'STORAGE_UNREACHABLE',
    });
  });

  it('keep their keys sealed to their row, never give them out, and take new ones', async () => {
    const [wrong, right] = [canaries.make('s3-secret'), s3.secretAccessKey];
    const { body } = await create(s3Dto({ name: 'sealed', s3SecretAccessKey: wrong }));
    expect(await call('POST', `/v1/storages/${body.id}/test`)).toMatchObject({
      body: { success: false, code: 'S3_CREDENTIALS' },
    });
    const [row] = await api.postgres.query('SELECT to_jsonb(s)::text FROM storages s WHERE id = $1', [body.id]);
    expect(canaries.find(String(row?.[0]), 'row')).toEqual([]);
    expect(canaries.find(JSON.stringify(await call('GET', `/v1/storages/${body.id}`)), 'answer')).toEqual([]);
    const patched = await call('PATCH', `/v1/storages/${body.id}`, { name: 'renamed', s3SecretAccessKey: right });
    expect(patched).toMatchObject({ status: 200, body: { name: 'renamed', hasCredentials: true } });
    expect(await call('POST', `/v1/storages/${body.id}/test`)).toMatchObject({ body: { success: true } });
    // A sealed text that was copied to another row opens nothing there.
    const other = await create(s3Dto({ name: 'other' }));
    await api.postgres.query('UPDATE storages SET credentials = (SELECT credentials FROM storages WHERE id = $1) WHERE id = $2', [
      body.id,
      other.body.id,
    ]);
    expect(await call('POST', `/v1/storages/${other.body.id}/test`)).toMatchObject({
      status: 422,
      body: { code: 'S3_CREDENTIALS' },
    });
  });

  it('are deleted only when nothing needs them', async () => {
    const { body } = await create(s3Dto({ name: 'gone', s3SecretAccessKey: canaries.make('s3-secret') }));
    expect((await call('DELETE', `/v1/storages/${body.id}`)).status).toBe(204);
    expect((await call('GET', `/v1/storages/${body.id}`)).status).toBe(404);
    expect((await call('DELETE', `/v1/storages/${body.id}`)).status).toBe(404);
    const [row] = await api.postgres.query('SELECT credentials FROM storages WHERE id = $1', [body.id]);
    expect(row?.[0]).toBeNull();
  });

  it('are invisible to other workspaces, and viewers change nothing', async () => {
    const stranger = await api.register();
    const { body } = await create({ storageType: 'local', name: 'mine' });
    for (const [method, path, dto] of [
      ['GET', `/v1/storages/${body.id}`, undefined],
      ['PATCH', `/v1/storages/${body.id}`, { name: 'yours' }],
      ['DELETE', `/v1/storages/${body.id}`, undefined],
      ['POST', `/v1/storages/${body.id}/test`, undefined],
    ] as const) {
      expect((await call(method, path, dto, stranger)).status).toBe(404);
    }
    expect((await call('GET', '/v1/storages/42')).status).toBe(400);
    await api.postgres.query(`UPDATE memberships SET role = 'viewer' WHERE user_id = $1`, [stranger.userId]);
    expect((await create({ storageType: 'local', name: 'no' }, stranger)).status).toBe(403);
  });
});
