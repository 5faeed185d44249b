import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { AuditVerification } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import { startApi } from '../../testing/start-api.js';
import type { Registered, RunningApi } from '../../testing/start-api.js';

const dist = join(dirname(createRequire(join(process.cwd(), 'package.json')).resolve('@rahatback/api/package.json')), 'dist');

const ROWS = 6000;
const KILLS = 4;

describe('a worker that is killed while it chains the audit log', () => {
  let api: RunningApi;
  let person: Registered;
  let worker: ChildProcess | undefined;
  beforeAll(async () => {
    api = await startApi({ worker: false });
    person = await api.register();
  }, 60_000);
  afterAll(async () => {
    worker?.kill('SIGKILL');
    await api?.stop();
  });

  const startWorker = (): ChildProcess =>
    spawn(process.execPath, [join(dist, 'worker.js')], {
      stdio: 'ignore',
      env: {
        PATH: process.env['PATH'] ?? '',
        DATABASE_URL: api.config.databaseUrl,
        REDIS_URL: api.config.redisUrl,
        KEYS_DIR: api.config.keysDir,
        STORAGE_ROOT: api.config.storageRoot,
      },
    });

  const chained = async (): Promise<number> => {
    const [[count]] = (await api.postgres.query('SELECT count(sequence)::int FROM audit_events')) as [[number]];
    return count;
  };

  const verify = async (): Promise<AuditVerification> =>
    (await api.call('GET', '/v1/audit/verify', { token: person.accessToken })).body as AuditVerification;

  it(`leaves a whole chain each time, and the next worker goes on: ${KILLS} kills, ${ROWS} rows`, async () => {
    await api.postgres.query(
      `INSERT INTO audit_events (id, workspace_id, actor_type, action, outcome, detail)
       SELECT gen_random_uuid(), $1, 'system', 'thing.done', 'success', jsonb_build_object('n', n) FROM generate_series(1, $2::int) n`,
      [person.workspaceId, ROWS],
    );
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const before = await chained();
      worker = startWorker();
      const closed = once(worker, 'close');
      await waitFor(async () => (await chained()) > before, { describe: 'the worker to chain', timeoutMs: 40_000, pollMs: 5 });
      worker.kill('SIGKILL');
      await closed;
      const found = await verify();
      expect(found).toMatchObject({ ok: true, brokenAt: null });
      expect(found.unchained).toBeGreaterThan(0); // it was killed in the middle
    }
    worker = startWorker();
    await waitFor(async () => (await verify()).unchained === 0, {
      describe: 'the rest to be chained',
      timeoutMs: 60_000,
      pollMs: 250,
    });
    const found = await verify();
    expect(found).toMatchObject({ ok: true, brokenAt: null, chained: found.rows });
    expect(found.rows).toBeGreaterThan(ROWS);
  }, 240_000);
});
