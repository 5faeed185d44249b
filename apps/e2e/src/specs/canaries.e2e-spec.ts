import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectLive } from '@rahatback/api-client';
import type { BackupDetailView, RestoreAnswer, RestoreView, RunAnswer, StorageView } from '@rahatback/contracts';
import { CanarySet, scanFiles, scanRedis, startRgw, uniqueHits, watchArgv, watchRedis, type CanaryHit } from '@rahatback/testing';
import { waitEnded } from '../demo/watch.js';
import { presentsToken } from '../system/frame-relay.js';
import { startWorld, type World } from '../system/world.js';

const TIMEOUT_MS = 180_000;

/** Where a secret is issued to its owner, and nowhere else. */
const ISSUES_TOKENS = ['/v1/auth/register', '/v1/auth/login', '/v1/auth/refresh'];

/**
 * Every secret of a whole run is a canary: the person's password, the database's, the passphrase, the S3 keys, the tokens. They go in through the
 * API; then everything that the product wrote, sent or showed is searched, in plain, base64 and hex.
 */
describe('clear secrets', () => {
  const canaries = new CanarySet();
  const secrets = {
    person: canaries.make('person-password'),
    database: canaries.make('database-password'),
    passphrase: canaries.make('passphrase'),
  };
  const answers: [path: string, body: string][] = [];
  const hits: CanaryHit[] = [];
  let world: World;
  /** What lay in the temp folder before. */
  let old: string[];
  /** Of the agent's and the person's socket, but for the one that presents the token. */
  const frames: Buffer[] = [];
  let s3: Awaited<ReturnType<typeof startRgw>>;
  let seen: { argvSamples: number; redisCommands: number };

  beforeAll(async () => {
    old = await readdir(tmpdir());
    s3 = await startRgw();
    canaries.watch({ kind: 's3-secret', value: s3.secretAccessKey });
    const bucket = await s3.createBucket();
    world = await startWorld({
      databasePassword: secrets.database,
      personPassword: secrets.person,
      onAnswer: (path, body) => void answers.push([path, body]),
      onFrame: (payload, from) => {
        if (!presentsToken(payload, from)) frames.push(payload);
      },
    });
    canaries.watch({ kind: 'access-token', value: world.person.token });
    const argv = watchArgv(canaries);
    const redis = await watchRedis(canaries, world.server.redis.url);
    const live = connectLive(world.server.url, world.person.token);
    await mainJob(bucket);
    live.disconnect();
    seen = { argvSamples: argv.samples(), redisCommands: redis.commands() };
    hits.push(...argv.stop(), ...redis.stop());
  }, TIMEOUT_MS);

  afterAll(async () => {
    await world.stop();
    await s3.stop();
  }, 60_000);

  async function mainJob(bucket: string): Promise<void> {
    const { person } = world;
    const storage = await person.call<StorageView>('POST', '/v1/storages', {
      storageType: 's3',
      name: 'S3',
      s3Endpoint: s3.endpoint,
      s3Region: 'us-east-1',
      s3Bucket: bucket,
      s3AccessKeyId: s3.accessKeyId,
      s3SecretAccessKey: s3.secretAccessKey,
      s3ForcePathStyle: true,
    });
    await person.call('POST', `/v1/storages/${storage.id}/test`);
    await person.call('POST', `/v1/databases/${world.database.id}/test-connection`);
    const job = await world.makeJob({
      storageType: 's3',
      cloudStorageId: storage.id,
      isEncrypted: true,
      encryptionPassword: secrets.passphrase,
    });
    const run = await person.call<RunAnswer>('POST', `/v1/backups/jobs/${job.id}/run`);
    const backup = await waitEnded<BackupDetailView>(person, `/v1/backups/history/${run.historyId}`, TIMEOUT_MS);
    expect([backup.status, backup.errorMessage]).toEqual(['success', null]);
    const restore = await person.call<RestoreAnswer>('POST', `/v1/backups/history/${backup.id}/restore`, {});
    const restored = await waitEnded<RestoreView>(person, `/v1/restores/${restore.restoreHistoryId}`, TIMEOUT_MS);
    expect([restored.status, restored.errorMessage]).toEqual(['success', null]);
    for (const path of ['/v1/storages', '/v1/databases', '/v1/backups/jobs', '/v1/agents', '/v1/audit', '/v1/backups/history'])
      await person.send('GET', path);
    // Failures write more than successes do.
    await person.send('POST', '/v1/databases/test-connection', { ...databaseFields(), password: `${secrets.database}x` });
    await person.send('POST', '/v1/storages/test', {
      storageType: 's3',
      name: 'x',
      s3Endpoint: 'http://127.0.0.1:1024',
      s3Bucket: 'none',
      s3AccessKeyId: 'x',
      s3SecretAccessKey: s3.secretAccessKey,
    });
  }

  const databaseFields = () => ({
    type: 'postgresql',
    host: world.customer.host,
    port: world.customer.port,
    username: 'yedek',
    database: world.customerDatabase,
  });

  it('the watches saw something', () => {
    expect(seen.argvSamples).toBeGreaterThan(10);
    expect(seen.redisCommands).toBeGreaterThan(10);
    expect(answers.length).toBeGreaterThan(10);
    const all = Buffer.concat(frames);
    expect([all.includes('job:execute'), all.includes('backup:completed')]).toEqual([true, true]);
  });

  it('are in no argv and no Redis command, and not in what Redis keeps', async () => {
    expect(uniqueHits([...hits, ...(await scanRedis(canaries, world.server.redis.url))])).toEqual([]);
  });

  it(
    'are in no log, no temp file and no stored object',
    async () => {
      // The S3 server must know its user's key to check signatures.
      const fresh = (await readdir(tmpdir())).filter((name) => !old.includes(name) && !name.startsWith('rahatback-rgw-'));
      expect(fresh.length).toBeGreaterThan(0);
      const folders = fresh.map((name) => join(tmpdir(), name));
      expect(await scanFiles(canaries, [world.server.home, ...folders], [join(world.server.home, 'keys')])).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it('are in no frame of the agent or of a person', () => {
    expect(uniqueHits(frames.flatMap((frame) => canaries.find(frame, 'a frame')))).toEqual([]);
  });

  it('are in no answer, but for a token where it is issued', () => {
    const elsewhere = answers.filter(([path]) => !ISSUES_TOKENS.includes(path));
    expect(elsewhere.flatMap(([path, body]) => canaries.find(body, path))).toEqual([]);
  });

  it('are not in the product’s own database in clear', async () => {
    const tables = await world.server.postgres.query(
      `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public'`,
      { database: world.server.databaseName },
    );
    for (const [table] of tables) {
      const rows = await world.server.postgres.query(`SELECT t::text FROM ${String(table)} t`, {
        database: world.server.databaseName,
      });
      expect(canaries.find(JSON.stringify(rows), String(table))).toEqual([]);
    }
  });
});
