import { join } from 'node:path';
import { startRedis, tempDir, waitFor } from '@rahatback/testing';
import type { PrivateRedis, TempDir } from '@rahatback/testing';
import { createApi, createWorker } from './create-app.js';
import { DOMAIN_MODULES } from './domain-modules.js';
import { JobQueue } from './platform/queues/job-queue.js';
import type { PrivateDatabase } from './testing/private-database.js';
import { startDatabase } from './testing/private-database.js';
import { testConfig } from './testing/test-config.js';

describe('the module graph', () => {
  let database: PrivateDatabase & { stop(): Promise<void> };
  let redis: PrivateRedis;
  let folder: TempDir;
  beforeAll(async () => {
    database = await startDatabase();
    redis = await startRedis({ persist: false });
    folder = await tempDir('rahatback-graph-');
  }, 60_000);
  afterAll(async () => {
    await redis?.stop();
    await database?.stop();
    await folder?.remove();
  });

  const config = (overrides = {}) =>
    testConfig(
      { databaseUrl: database.appUrl, redisUrl: redis.url, keysDir: join(folder.path, 'keys'), storageRoot: folder.path },
      overrides,
    );

  it('resolves every dependency of the API and answers', async () => {
    const app = await createApi({ config: config() });
    try {
      await app.listen(0, '127.0.0.1');
      const ready = await fetch(`${await app.getUrl()}/health/ready`);
      expect([ready.status, await ready.json()]).toEqual([
        200,
        { status: 'ok', checks: { postgres: 'up', redis: 'up' }, warnings: [] },
      ]);
      for (const module of DOMAIN_MODULES) expect(app.get(module)).toBeInstanceOf(module);
    } finally {
      await app.close();
    }
  }, 30_000);

  it('resolves every dependency of the worker, which has no HTTP, and schedules its sweeps again when Redis lost them', async () => {
    const worker = await createWorker({ config: config() });
    try {
      for (const module of DOMAIN_MODULES) expect(worker.get(module)).toBeInstanceOf(module);
      const schedulers = async (): Promise<number> => {
        const { queues } = worker.get<JobQueue, { queues: Record<string, { getJobSchedulersCount(): Promise<number> }> }>(
          JobQueue,
        );
        const counts = await Promise.all(Object.values(queues).map((queue) => queue.getJobSchedulersCount()));
        return counts.reduce((sum, count) => sum + count, 0);
      };
      const before = await schedulers();
      expect(before).toBeGreaterThan(0);
      await redis.restart({ loseData: true });
      await waitFor(async () => (await schedulers()) === before, { describe: 'the sweeps to be back', timeoutMs: 20_000 });
    } finally {
      await worker.close();
    }
  }, 60_000);
});
