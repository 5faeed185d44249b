import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startRedis, type PrivateRedis } from '../servers/redis.js';
import { tempDir, type TempDir } from '../temp-dir.js';
import { waitFor } from '../wait-for.js';
import { watchArgv } from './argv-watch.js';
import { CanarySet } from './canary.js';
import { CanaryRun } from './canary-run.js';
import { scanFiles } from './file-scan.js';
import { scanRedis, watchRedis } from './redis-watch.js';
import { sweepTemp } from './temp-sweep.js';
import { newCanaryMark } from './test-secret.js';

describe('canaries', () => {
  const canaries = new CanarySet();
  // Planted where a secret must not be, so it must not bear the mark that the watch over the whole run looks for.
  const password = newCanaryMark() + newCanaryMark();
  canaries.watch({ kind: 'database-password', value: password });

  it.each(['', 'x', 'xy', 'xyz'])('are found behind %j in plain, base64 and hex', (before) => {
    const text = `${before}${password}-after`;
    expect(canaries.find(text, 'here')).toEqual([{ kind: 'database-password', form: 'plain', place: 'here' }]);
    expect(canaries.find(Buffer.from(text).toString('base64'), 'here')).toEqual([expect.objectContaining({ form: 'base64' })]);
    expect(canaries.find(Buffer.from(text).toString('base64url'), 'here')).toEqual([expect.objectContaining({ form: 'base64' })]);
    expect(canaries.find(Buffer.from(text).toString('hex'), 'here')).toEqual([expect.objectContaining({ form: 'hex' })]);
  });

  it('are not found where they are not, and are never too short', () => {
    expect(canaries.find(password.slice(1), 'here')).toEqual([]);
    expect(() => canaries.watch({ kind: 'short', value: 'abc' })).toThrow(/12 or more/);
  });

  describe('in files', () => {
    let folder: TempDir;
    beforeAll(async () => {
      folder = await tempDir();
    });
    afterAll(() => folder.remove());

    it('are found in contents across a read boundary, in names, and not in excepted folders', async () => {
      await mkdir(join(folder.path, 'keys'));
      await writeFile(join(folder.path, 'big.log'), Buffer.concat([Buffer.alloc(2 ** 20 - 7, 32), Buffer.from(password)]));
      await writeFile(join(folder.path, `${password}.tmp`), '');
      await writeFile(join(folder.path, 'keys', 'own'), password);
      const hits = await scanFiles(canaries, [folder.path], [join(folder.path, 'keys')]);
      expect(hits.map(({ place }) => place).sort()).toEqual(
        [join(folder.path, `${password}.tmp`), join(folder.path, 'big.log')].sort(),
      );
    });
  });

  it('are found in the argv of any process', async () => {
    const watch = watchArgv(canaries);
    const child = spawn('sleep', ['100000', `--password=${password}`].slice(0, 1), {
      argv0: `sleep-${password}`,
      stdio: 'ignore',
    });
    await waitFor(() => watch.samples() > 3, { describe: 'a few samples' });
    child.kill('SIGKILL');
    expect(watch.stop()).toEqual([expect.objectContaining({ kind: 'database-password', form: 'plain' })]);
  });

  describe('in Redis', () => {
    let server: PrivateRedis;
    let redis: Redis;
    beforeAll(async () => {
      server = await startRedis({ persist: false });
      redis = new Redis(server.url);
    });
    afterAll(async () => {
      redis.disconnect();
      await server.stop();
    });
    afterEach(() => redis.flushall());

    it.each<[string, () => Promise<unknown>]>([
      ['a string', () => redis.set('k', password)],
      ['a hash', () => redis.hset('k', 'field', password)],
      ['a list', () => redis.rpush('k', 'x', Buffer.from(password).toString('base64'))],
      ['a set', () => redis.sadd('k', password)],
      ['a sorted set', () => redis.zadd('k', 1, password)],
      ['a stream', () => redis.xadd('k', '*', 'field', password)],
    ])('are found in %s', async (_type, write) => {
      await write();
      expect(await scanRedis(canaries, server.url)).toEqual([
        expect.objectContaining({ kind: 'database-password', place: 'redis key k' }),
      ]);
    });

    it('are found in another database and in the name of a key', async () => {
      await redis.select(3);
      await redis.set(password, 'x');
      await redis.select(0);
      expect(await scanRedis(canaries, server.url)).toEqual([expect.objectContaining({ place: 'a redis key name' })]);
    });

    it('are found in a command that leaves nothing behind', async () => {
      const watch = await watchRedis(canaries, server.url);
      await redis.publish('channel', `{"token":"${password}"}`);
      await waitFor(() => watch.commands() > 0, { describe: 'the command' });
      expect(watch.stop()).toEqual([{ kind: 'database-password', form: 'plain', place: 'redis command publish channel' }]);
      expect(await scanRedis(canaries, server.url)).toEqual([]);
    });
  });

  describe('of a whole run', () => {
    const ACCESS = `eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCI.${'a'.repeat(60)}.${'b'.repeat(80)}`;
    const REFRESH = `01980000-0000-7000-8000-000000000000.${'r'.repeat(43)}`;
    let folder: TempDir;
    let run: CanaryRun;
    let mark: string;
    beforeEach(async () => {
      folder = await tempDir();
      run = CanaryRun.begin(join(folder.path, 'run'));
      mark = await readFile(join(folder.path, 'run', 'mark'), 'utf8');
    });
    afterEach(() => folder.remove());

    it('are found in each channel, with what was looked at, also when other processes found them', () => {
      run.look('answers', `{"password":"${mark}Database"}`, 'GET /x');
      run.look('frames', 'nothing', 'a frame');
      run.flush();
      run.add('argv', 7, []);
      const summary = run.summary();
      expect(summary.map(({ channel, seen, hits }) => [channel, seen, hits.length])).toEqual([
        ['argv', 7, 0],
        ['redis', 0, 0],
        ['logs', 0, 0],
        ['files', 0, 0],
        ['answers', 1, 1],
        ['frames', 1, 0],
      ]);
      expect(JSON.stringify(summary)).not.toContain(mark);
    });

    it.each([
      ['an access token', ACCESS],
      ['a refresh token', REFRESH],
    ])('know %s by its form, except where it is presented', (_name, token) => {
      run.look('frames', `42["event",{"token":"${token}"}]`, 'a frame');
      run.look('answers', `{"token":"${token}"}`, 'log-in', run.byMark);
      const hits = Object.fromEntries(run.summary().map(({ channel, hits: found }) => [channel, found.length]));
      expect(hits).toMatchObject({ frames: 1, answers: 0 });
    });

    it('are found in a file that lives for a moment, and not where a server keeps its own', async () => {
      const root = join(folder.path, 'tmp');
      await mkdir(join(root, 'rahatback-rgw-1'), { recursive: true });
      const sweep = sweepTemp(run, root);
      await writeFile(join(root, 'pgpass'), `*:*:*:*:${mark}`);
      await writeFile(join(root, 'rahatback-rgw-1', 'user'), mark);
      await waitFor(() => run.summary().some(({ channel, hits }) => channel === 'files' && hits.length > 0), {
        describe: 'the sweep to see the file',
      });
      await sweep.stop();
      const places = run.summary().flatMap(({ hits }) => hits.map(({ place }) => place));
      expect(places).toEqual([join(root, 'pgpass')]);
    });
  });
});
