import { spawn } from 'node:child_process';
import { chmod, readdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { freePort, startRedis, tempDir, waitFor } from '@rahatback/testing';
import type { PrivateRedis, TempDir } from '@rahatback/testing';
import { MIGRATIONS } from '../../migrations/index.js';
import type { PrivateDatabase } from '../../testing/private-database.js';
import { startDatabase } from '../../testing/private-database.js';
import { loadKeys } from '../keys/load-keys.js';
import { assertClock, assertPostgresVersion, runBootChecks } from './boot-checks.js';

const dist = join(dirname(createRequire(join(process.cwd(), 'package.json')).resolve('@rahatback/api/package.json')), 'dist');

interface Run {
  readonly code: Promise<number | null>;
  stderr(): string;
  stdout(): string;
  kill(signal: NodeJS.Signals): void;
}

/** A compiled entry, as production starts it. */
function start(entry: string, environment: Record<string, string>): Run {
  const child = spawn(process.execPath, [join(dist, entry)], { env: { PATH: process.env['PATH'] ?? '', ...environment } });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (bytes: Buffer) => (output.stdout += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (output.stderr += bytes.toString()));
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stdout: () => output.stdout, stderr: () => output.stderr, kill: (signal) => void child.kill(signal) };
}

describe('the start of a process', () => {
  let database: PrivateDatabase & { stop(): Promise<void> };
  let redis: PrivateRedis;
  let folder: TempDir;
  beforeAll(async () => {
    database = await startDatabase();
    redis = await startRedis({ persist: false });
    folder = await tempDir('rahatback-boot-');
  }, 60_000);
  afterAll(async () => {
    await redis?.stop();
    await database?.stop();
    await folder?.remove();
  });

  const environment = (overrides: Record<string, string> = {}) => ({
    DATABASE_URL: database.appUrl,
    REDIS_URL: redis.url,
    KEYS_DIR: join(folder.path, 'keys'),
    STORAGE_ROOT: folder.path,
    PORT: '0',
    ...overrides,
  });

  it('ends with 78, a line per variable and no secret, when settings are bad', async () => {
    const run = start('main.js', { DATABASE_URL: 'mysql://u:kanarya@h/d', PORT: 'kanarya' });
    expect(await run.code).toBe(78);
    const lines = run
      .stderr()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { code: string; message: string });
    expect(lines.map((line) => [line.code, line.message.split(' ', 1)[0]]).sort()).toEqual(
      ['DATABASE_URL', 'KEYS_DIR', 'PORT', 'REDIS_URL', 'STORAGE_ROOT'].map((name) => ['CONFIG_INVALID', name]),
    );
    expect(run.stderr() + run.stdout()).not.toMatch(/kanarya| at .*\.js/);
  }, 30_000);

  it('says ready with its port, and ends in order on SIGTERM: API and worker', async () => {
    const api = start('main.js', environment());
    const worker = start('worker.js', environment());
    const ready = (run: Run) =>
      run
        .stdout()
        .split('\n')
        .find((line) => line.includes('"event":"ready"'));
    await waitFor(() => ready(api) && ready(worker), { describe: 'both to be ready', timeoutMs: 25_000 });
    const { port } = JSON.parse(ready(api) ?? '{}') as { port: number };
    expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).status).toBe(200);
    api.kill('SIGTERM');
    worker.kill('SIGTERM');
    expect(await Promise.all([api.code, worker.code])).toEqual([0, 0]);
    const names = await readdir(join(folder.path, 'keys'));
    expect(names.filter((name) => name === 'keys.json')).toHaveLength(1);
    expect(names).toHaveLength(6); // two processes started on an empty folder: one set of keys
  }, 60_000);

  it('is refused on a Redis that may drop work, with the command that mends it', async () => {
    const evicting = await startRedis({ persist: false, settings: { 'maxmemory-policy': 'allkeys-lru' } });
    try {
      const run = start('main.js', environment({ REDIS_URL: evicting.url }));
      expect(await run.code).toBe(78);
      expect(JSON.parse(run.stderr())).toMatchObject({
        code: 'BOOT_CHECK_REDIS_POLICY',
        message: expect.stringContaining('CONFIG SET maxmemory-policy noeviction'),
      });
      expect(run.stderr()).not.toContain(evicting.password);
    } finally {
      await evicting.stop();
    }
  }, 30_000);

  it('is refused for the owner of the schema, and for a clock that is a minute off', async () => {
    const check = (overrides: object) =>
      runBootChecks({ databaseUrl: database.appUrl, redisUrl: redis.url, migrations: MIGRATIONS, ...overrides });
    await expect(check({})).resolves.toBeUndefined();
    await expect(check({ databaseUrl: database.ownerUrl })).rejects.toMatchObject({ code: 'BOOT_CHECK_SCHEMA' });
    await expect(check({ now: () => Date.now() + 90_000 })).rejects.toMatchObject({
      code: 'BOOT_CHECK_CLOCK',
      message: expect.stringContaining('NTP'),
    });
    expect(() => assertClock(-60_001)).toThrow(/NTP/);
    expect(() => assertClock(59_999)).not.toThrow();
    expect(() => assertPostgresVersion(120_022, '12.22')).toThrow(
      expect.objectContaining({ code: 'BOOT_CHECK_POSTGRES_VERSION' }),
    );
    expect(() => assertPostgresVersion(130_000, '13.0')).not.toThrow();
  });

  it('waits a little for servers, then says which one is away', async () => {
    const port = await freePort();
    const away = runBootChecks({
      databaseUrl: `postgres://u:kanarya@127.0.0.1:${port}/d`,
      redisUrl: redis.url,
      migrations: MIGRATIONS,
    });
    await expect(away).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/^PostgreSQL at DATABASE_URL .*ECONNREFUSED/),
    });
  }, 30_000);

  it('is refused when a key file is open to others, is damaged, or is gone', async () => {
    const dir = join(folder.path, 'other-keys');
    const keys = await loadKeys(dir);
    expect((await loadKeys(dir)).serverId).toBe(keys.serverId);
    await chmod(join(dir, `${keys.jwt.kid}.key`), 0o644);
    await expect(loadKeys(dir)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('chmod 600') });
    await chmod(join(dir, `${keys.jwt.kid}.key`), 0o600);
    await writeFile(join(dir, `${keys.kek.current.kid}.key`), 'short');
    await expect(loadKeys(dir)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('damaged') });
    await rm(join(dir, `${keys.kek.current.kid}.key`));
    await expect(loadKeys(dir)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('missing') });
    await expect(loadKeys(join(dir, 'keys.json', 'below-a-file'))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
