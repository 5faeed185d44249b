import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startRedis, type PrivateRedis } from '../servers/redis.js';
import { tempDir, type TempDir } from '../temp-dir.js';
import { waitFor } from '../wait-for.js';
import { watchArgv } from './argv-watch.js';
import { CanarySet } from './canary.js';
import { scanFiles } from './file-scan.js';
import { scanRedis, watchRedis } from './redis-watch.js';

describe('canaries', () => {
  const canaries = new CanarySet();
  const password = canaries.make('database-password');

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
});
