import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { Redis } from 'ioredis';
import { isAlive } from '../processes/process-tree.js';
import { startPostgres, type PrivatePostgres } from './postgres.js';
import { availableMajors, clientBinDir, clientMajors, findPostgres, missingMajor } from './postgres-binaries.js';
import { startRedis, type PrivateRedis } from './redis.js';

describe('private PostgreSQL', () => {
  let server: PrivatePostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  it('has the major of the installed client tools and answers only with the password', async () => {
    expect(server.major).toBe(clientMajors()[0]);
    const wrong = new Client({ host: server.host, port: server.port, user: 'postgres', password: 'wrong', database: 'postgres' });
    await expect(wrong.connect()).rejects.toThrow(/password authentication failed/);
  });

  it('creates databases with odd names in UTF-8', async () => {
    const name = await server.createDatabase('Yedek "Müşteri"');
    expect(await server.query('SELECT current_database(), lower($1)', { database: name, values: ['ŞİŞLİ'] })).toEqual([
      [name, expect.any(String)],
    ]);
  });

  it.each(['a=b host=evil', '$(id) ;&,@:+', '100%25 %', 'slash/\\back', "it's"])(
    'leads to database %j by its URL',
    async (name) => {
      await server.createDatabase(name);
      const client = new Client({ connectionString: server.url(name) });
      await client.connect();
      expect((await client.query('SELECT current_database() AS name')).rows).toEqual([{ name }]);
      await client.end();
    },
  );

  it('asks any name, and says when no URL can', async () => {
    const name = await server.createDatabase('what? #1');
    expect(await server.query('SELECT current_database()', { database: name })).toEqual([[name]]);
    expect(() => server.url(name)).toThrow(/connect with host/);
    expect(() => server.url('../x')).toThrow(/connect with host/);
  });

  it('keeps committed rows over a kill of all its processes', async () => {
    const durable = await startPostgres({ durable: true });
    try {
      await durable.query('CREATE TABLE kept AS SELECT 1 AS one');
      const pid = durable.pid();
      await durable.kill();
      expect(isAlive(pid)).toBe(false);
      await durable.start();
      expect(await durable.query('SELECT one FROM kept')).toEqual([[1]]);
    } finally {
      await durable.stop();
    }
    expect(existsSync(durable.dataDir)).toBe(false);
  });

  it('says what to do when the wanted major is not here', async () => {
    await expect(startPostgres({ version: 9 })).rejects.toThrow(/script\/bootstrap/);
  });
});

describe('PostgreSQL majors', () => {
  it('are those with a server and a client of the same major', () => {
    expect(availableMajors()).toContain(clientMajors()[0]);
    for (const major of availableMajors()) {
      expect(findPostgres(major).major).toBe(major);
      const { stdout } = spawnSync(join(clientBinDir(major), 'pg_dump'), ['--version'], { encoding: 'utf8' });
      expect(stdout).toContain(`(PostgreSQL) ${major}.`);
      expect(missingMajor(major)).toBeNull();
    }
    expect(missingMajor(9)).toMatch(/script\/bootstrap --majors/);
  });
});

describe('private Redis', () => {
  let server: PrivateRedis;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  const withClient = async <T>(use: (redis: Redis) => Promise<T>): Promise<T> => {
    const redis = new Redis(server.url);
    try {
      return await use(redis);
    } finally {
      redis.disconnect();
    }
  };

  it('evicts nothing and asks for its password', async () => {
    expect(await withClient((redis) => redis.config('GET', 'maxmemory-policy'))).toEqual(['maxmemory-policy', 'noeviction']);
    const stranger = new Redis({ port: server.port, enableReadyCheck: false });
    stranger.on('error', () => undefined);
    await expect(stranger.get('a')).rejects.toThrow(/NOAUTH/);
    stranger.disconnect();
  });

  it('comes back from a kill with its data, and without it when told to lose it', async () => {
    await withClient((redis) => redis.set('key', 'value'));
    await server.kill();
    await server.restart();
    expect(await withClient((redis) => redis.get('key'))).toBe('value');
    await server.restart({ loseData: true });
    expect(await withClient((redis) => redis.get('key'))).toBeNull();
  });
});
