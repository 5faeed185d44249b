import { PassThrough } from 'node:stream';
import type { DatabaseView, ErrorBody, JobView, Page, SealedSecret, StorageView } from '@rahatback/contracts';
import { derivePassphraseKek } from '@rahatback/crypto';
import { CanarySet, scanRedis } from '@rahatback/testing';
import { startApi, type Registered, type RunningApi } from '../../testing/start-api.js';
import { enrolledAgent } from '../agents/testing/agent-scene.js';
import type { ScriptedAgent } from '../agents/testing/scripted-agent.js';
import type { JobPassphrase } from './job.entity.js';

describe('jobs', () => {
  let api: RunningApi;
  let owner: Registered;
  let agent: ScriptedAgent;
  let database: DatabaseView;
  let logged = '';
  const canaries = new CanarySet();

  beforeAll(async () => {
    const log = new PassThrough();
    log.on('data', (line: Buffer) => (logged += line.toString()));
    api = await startApi({ worker: false, logDestination: log, config: { trustProxy: ['127.0.0.1'], logLevel: 'trace' } });
    owner = await api.register();
    agent = await enrolledAgent(api, owner);
    database = await newDatabase(owner, agent);
  }, 60_000);
  afterAll(() => api.stop());

  const call = <T>(method: string, path: string, body?: object, person = owner) =>
    api.call(method, path, { token: person.accessToken, ...(body ? { body } : {}) }) as Promise<{ status: number; body: T }>;
  const newDatabase = async (person: Registered, on: ScriptedAgent): Promise<DatabaseView> => {
    const fields = {
      type: 'postgresql',
      host: 'localhost',
      port: 5432,
      username: 'app',
      database: 'shop',
      name: 'shop',
      agentId: on.id,
    };
    return (await call<DatabaseView>('POST', '/v1/databases', fields, person)).body;
  };
  const create = (changes: object = {}, person = owner) =>
    call<JobView & ErrorBody>('POST', '/v1/backups/jobs', { databaseId: database.id, name: 'nightly', ...changes }, person);
  const storedPassphrase = async (jobId: string): Promise<{ passphrase: JobPassphrase | null; version: number }> => {
    const [row] = await api.postgres.query('SELECT passphrase::text, passphrase_version FROM jobs WHERE id = $1', [jobId]);
    return { passphrase: typeof row?.[0] === 'string' ? (JSON.parse(row[0]) as JobPassphrase) : null, version: Number(row?.[1]) };
  };

  it('need a database and a name; the rest has defaults, and the server disk is made when there is none', async () => {
    const before = (await call<Page<StorageView>>('GET', '/v1/storages')).body.totalResults;
    expect(before).toBe(0);
    const both = await Promise.all([create(), create({ name: 'second' })]);
    for (const { status, body } of both) {
      expect({ status, ...body }).toMatchObject({
        status: 201,
        databaseId: database.id,
        scheduleType: 'manual',
        backupType: 'full',
        compression: 'zstd',
        isEncrypted: false,
        storageType: 'local',
        retentionDays: null,
        timeLimitMinutes: 180,
        maxChainLength: 30,
        isActive: true,
      });
    }
    const { results } = (await call<Page<StorageView>>('GET', '/v1/storages')).body;
    expect(results).toMatchObject([{ storageType: 'local', isDefault: true, name: 'Server disk' }]);
    expect(new Set(both.map(({ body }) => body.cloudStorageId))).toEqual(new Set([results[0]?.id]));
  });

  it.each([
    [true, 'gzip'],
    [false, 'none'],
    ['none', 'none'],
    ['gzip', 'gzip'],
    ['zstd', 'zstd'],
  ])('read compression %s as %s', async (compression, expected) => {
    expect((await create({ compression })).body.compression).toBe(expected);
  });

  it.each<[string, object, string]>([
    ['a schedule', { scheduleType: 'daily' }, 'SCHEDULE_UNSUPPORTED'],
    ['a cron expression', { cronExpression: '0 2 * * *' }, 'SCHEDULE_UNSUPPORTED'],
    ['a folder that leads out', { storagePath: '/backups/../etc' }, 'PATH_FORBIDDEN'],
    ['a folder in a bucket', { storagePath: '/backups', storageType: 's3' }, 'VALIDATION'],
    ['google_drive', { storageType: 'google_drive' }, 'VALIDATION'],
    ['s3 without any', { storageType: 's3' }, 'VALIDATION'],
    ['a time zone of Mars', { timeZone: 'Mars/Olympus' }, 'TZ_INVALID'],
    ['encryption without a passphrase', { isEncrypted: true }, 'VALIDATION'],
    ['a passphrase without encryption', { isEncrypted: false, encryptionPassword: 'dört gül üç kedi mavi' }, 'VALIDATION'],
    ['a short passphrase', { isEncrypted: true, encryptionPassword: 'short' }, 'PASSPHRASE_WEAK'],
    ['a trivial passphrase', { isEncrypted: true, encryptionPassword: 'password123456' }, 'PASSPHRASE_WEAK'],
    ['another compression', { compression: 'lzma' }, 'VALIDATION'],
    ['retention of 0 days', { retentionDays: 0 }, 'VALIDATION'],
  ])('refuse %s', async (_what, changes, code) => {
    const { status, body } = await create(changes);
    expect({ status, code: body.code }).toEqual({ status: 400, code });
    expect(body.message.length).toBeGreaterThan(20);
  });

  it('seal the key of a passphrase to the agent of the database, and a new one under a new version', async () => {
    const [first, second] = [canaries.make('passphrase'), canaries.make('passphrase')];
    const { status, body } = await create({ isEncrypted: true, encryptionPassword: first });
    expect({ status, isEncrypted: body.isEncrypted }).toEqual({ status: 201, isEncrypted: true });
    const opened = async (passphrase: JobPassphrase | null, text: string): Promise<void> => {
      if (!passphrase) throw new Error('no passphrase is stored');
      const { kek, ...params } = passphrase;
      expect(params).toMatchObject({ memoryKib: 262_144, passes: 3, parallelism: 4 });
      expect((await agent.open(kek satisfies SealedSecret)).equals(await derivePassphraseKek(text, params))).toBe(true);
      expect(kek).toMatchObject({ purpose: 'passphrase-kek', subject: body.id });
    };
    const created = await storedPassphrase(body.id);
    expect(created.version).toBe(1);
    await opened(created.passphrase, first);

    expect((await call('PATCH', `/v1/backups/jobs/${body.id}`, { encryptionPassword: second })).status).toBe(200);
    const changed = await storedPassphrase(body.id);
    expect(changed.version).toBe(2);
    await opened(changed.passphrase, second);

    expect((await call<JobView>('PATCH', `/v1/backups/jobs/${body.id}`, { isEncrypted: false })).body.isEncrypted).toBe(false);
    expect(await storedPassphrase(body.id)).toEqual({ passphrase: null, version: 3 });
    expect(await call('PATCH', `/v1/backups/jobs/${body.id}`, { isEncrypted: true })).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION' },
    });
  }, 60_000);

  it('change what was asked and nothing else', async () => {
    const { body } = await create();
    const storage = await call<StorageView>('POST', '/v1/storages', { storageType: 'local', name: 'cold', path: 'cold' });
    const changes = {
      name: 'weekly',
      compression: true,
      cloudStorageId: storage.body.id,
      retentionDays: 30,
      timeLimitMinutes: 60,
      isActive: false,
    };
    const { body: changed } = await call<JobView>('PATCH', `/v1/backups/jobs/${body.id}`, changes);
    expect(changed).toEqual({ ...body, ...changes, compression: 'gzip' });
    expect((await call<JobView>('PATCH', `/v1/backups/jobs/${body.id}`, { backupType: 'incremental' })).body).toEqual({
      ...changed,
      backupType: 'incremental',
    });
    expect(await call('PATCH', `/v1/backups/jobs/${body.id}`, { scheduleType: 'daily' })).toMatchObject({
      status: 400,
      body: { code: 'SCHEDULE_UNSUPPORTED' },
    });
    expect(await call('DELETE', `/v1/storages/${storage.body.id}`)).toMatchObject({
      status: 409,
      body: { code: 'STORAGE_IN_USE', details: { jobs: 1, backups: 0 } },
    });
    expect((await call('DELETE', `/v1/backups/jobs/${body.id}`)).status).toBe(204);
    expect((await call('GET', `/v1/backups/jobs/${body.id}`)).status).toBe(404);
    expect((await call('DELETE', `/v1/storages/${storage.body.id}`)).status).toBe(204);
  });

  it('verify what they make when told so, at a level that is BASIC unless another is named', async () => {
    const { body: plain } = await create();
    expect(plain).toMatchObject({ autoVerifyAfterBackup: false, verificationLevel: null });
    const { body } = await create({ autoVerifyAfterBackup: true, verificationLevel: 'FULL' });
    expect(body).toMatchObject({ autoVerifyAfterBackup: true, verificationLevel: 'FULL' });
    const changed = (changes: object) => call<JobView & ErrorBody>('PATCH', `/v1/backups/jobs/${plain.id}`, changes);
    const basic = { autoVerifyAfterBackup: true, verificationLevel: 'BASIC' };
    expect((await changed({ autoVerifyAfterBackup: true })).body).toEqual({ ...plain, ...basic });
    expect((await changed({ verificationLevel: 'DATABASE' })).body).toEqual({
      ...plain,
      ...basic,
      verificationLevel: 'DATABASE',
    });
    expect((await changed({ autoVerifyAfterBackup: false, verificationLevel: 'BASIC' })).body).toEqual({
      ...plain,
      autoVerifyAfterBackup: false,
      verificationLevel: 'BASIC',
    });
    for (const bad of [{ verificationLevel: 'DEEP' }, { verificationLevel: 'basic' }, { autoVerifyAfterBackup: 'yes' }]) {
      expect(await changed(bad)).toMatchObject({ status: 400, body: { code: 'VALIDATION' } });
      expect(await create(bad)).toMatchObject({ status: 400, body: { code: 'VALIDATION' } });
    }
  });

  it('are paged, and belong to their workspace', async () => {
    const stranger = await api.register();
    const theirs = await newDatabase(stranger, await enrolledAgent(api, stranger));
    const { body } = await create();
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      expect(
        (await call(method, `/v1/backups/jobs/${body.id}`, method === 'PATCH' ? { name: 'x' } : undefined, stranger)).status,
      ).toBe(404);
    }
    expect((await create({ databaseId: theirs.id })).status).toBe(404);
    expect((await create({ databaseId: theirs.id, cloudStorageId: body.cloudStorageId }, stranger)).status).toBe(404);
    const page = await call<Page<JobView>>('GET', '/v1/backups/jobs?page=1&limit=1');
    expect(page.body.results).toHaveLength(1);
    expect(page.body.totalResults).toBeGreaterThan(1);
    expect((await call('GET', '/v1/backups/jobs?page=0')).status).toBe(400);
    expect((await call<Page<JobView>>('GET', '/v1/backups/jobs', undefined, stranger)).body.totalResults).toBe(0);
  });

  it('leave a trace of every change, without a value', async () => {
    const { body } = await create();
    await call('PATCH', `/v1/backups/jobs/${body.id}`, { name: 'other' });
    await call('DELETE', `/v1/backups/jobs/${body.id}`);
    const rows = await api.postgres.query('SELECT action, detail::text FROM audit_events WHERE target_id = $1 ORDER BY id', [
      body.id,
    ]);
    expect(rows.map(([action]) => action)).toEqual(['job.created', 'job.updated', 'job.deleted']);
    expect(String(rows[1]?.[1])).toContain('name');
    expect(String(rows[1]?.[1])).not.toContain('other');
  });

  it('leave no passphrase in PostgreSQL, Redis, logs or answers', async () => {
    const tables = await api.postgres.query(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`);
    for (const [table] of tables) {
      const rows = await api.postgres.query(`SELECT t::text FROM ${String(table)} t`);
      expect(canaries.find(JSON.stringify(rows), String(table))).toEqual([]);
    }
    expect(await scanRedis(canaries, api.redis.url)).toEqual([]);
    expect(logged.length).toBeGreaterThan(0);
    expect(canaries.find(logged, 'log')).toEqual([]);
    expect(canaries.find(JSON.stringify(await call('GET', '/v1/backups/jobs?limit=100')), 'answers')).toEqual([]);
  });
});
