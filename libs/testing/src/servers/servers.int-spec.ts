import { existsSync } from 'node:fs';
import { Client } from 'pg';
import { Redis } from 'ioredis';
import { isAlive } from '../processes/process-tree.js';
import { startPostgres, type PrivatePostgres } from './postgres.js';
import { clientMajors } from './postgres-binaries.js';
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
