import type { BackupDetailView, BackupView, Page, RestoreAnswer, RestoreView, RunAnswer } from '@rahatback/contracts';
import { connectLive } from '@rahatback/api-client';
import { testSecret, waitFor } from '@rahatback/testing';
import { Client } from 'pg';
import { RestClient } from '../system/rest-client.js';
import { startWorld, TEST_PASSWORD, type World } from '../system/world.js';
import { waitEnded } from '../demo/watch.js';
import { tableDigests } from '../demo/table-digests.js';

const RUN_TIMEOUT_MS = 120_000;

/** Two API processes and two workers; the agent hangs on the first API, people come through the second. */
describe('the main job over two API processes and two workers', () => {
  let world: World;
  let second: RestClient;

  beforeAll(async () => {
    world = await startWorld({ apis: 2, workers: 2 });
    second = new RestClient(world.server.urls[1] ?? '');
    const me = await world.person.call<{ email: string }>('GET', '/v1/auth/me');
    await second.logIn(me.email, TEST_PASSWORD);
  }, 180_000);

  afterAll(async () => {
    await world.stop();
  }, 60_000);

  async function backUp(fields: Parameters<World['makeJob']>[0] = {}): Promise<BackupDetailView> {
    const job = await world.makeJob(fields);
    const run = await second.call<RunAnswer>('POST', `/v1/backups/jobs/${job.id}/run`);
    expect(run).toEqual({ success: true, status: 'sent_to_agent', message: expect.any(String), historyId: expect.any(String) });
    return waitEnded<BackupDetailView>(second, `/v1/backups/history/${run.historyId}`, RUN_TIMEOUT_MS);
  }

  async function restored(backup: BackupDetailView): Promise<RestoreView> {
    const answer = await second.call<RestoreAnswer>('POST', `/v1/backups/history/${backup.id}/restore`, {});
    expect(answer).toMatchObject({ success: true, status: 'sent_to_agent', restoreHistoryId: expect.any(String) });
    return waitEnded<RestoreView>(second, `/v1/restores/${answer.restoreHistoryId}`, RUN_TIMEOUT_MS);
  }

  it.each(['zstd', 'gzip', 'none'] as const)(
    'backs up with %s and restores beside with every table equal, by the product and by the database itself',
    async (compression) => {
      const backup = await backUp({
        compression,
        isEncrypted: true,
        encryptionPassword: `uzun ve gizli ${testSecret('passphrase')}`,
      });
      expect(backup).toMatchObject({ status: 'success', errorCode: null, compression });
      const restore = await restored(backup);
      expect(restore).toMatchObject({ status: 'success', errorCode: null });
      expect(restore.tablesTotal).toBeGreaterThanOrEqual(3);
      expect(restore.tablesEqual).toBe(restore.tablesTotal);
      const contents = async (database: string) =>
        (await tableDigests(world.customer.url(database))).map(({ table, rows, digest }) => ({ table, rows, digest }));
      expect(await contents(restore.targetDatabase)).toEqual(await contents(world.customerDatabase));
    },
    RUN_TIMEOUT_MS * 2,
  );

  it(
    'tells a person on the other API process how it goes, from start to end',
    async () => {
      const socket = connectLive(second.baseUrl, second.token);
      const seen: string[] = [];
      socket.onAny((event: string) => void seen.push(event));
      try {
        await waitFor(() => socket.connected, { describe: 'the live socket' });
        await backUp();
        await waitFor(() => seen.includes('backup:completed'), { describe: 'backup:completed to arrive' });
        expect(seen).toEqual(expect.arrayContaining(['backup:started', 'backup:progress']));
      } finally {
        socket.disconnect();
      }
    },
    RUN_TIMEOUT_MS,
  );

  it(
    'makes one backup of 100 identical requests at once, spread over both processes',
    async () => {
      const job = await world.makeJob();
      const path = `/v1/backups/jobs/${job.id}/run`;
      // The dump waits for this lock: the one backup runs until every request is answered, however slow the machine is.
      const holder = new Client({ connectionString: world.customer.url(world.customerDatabase) });
      await holder.connect();
      await holder.query('BEGIN; LOCK TABLE bos IN ACCESS EXCLUSIVE MODE');
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? second : world.person).send('POST', path)),
      ).finally(() => holder.end());
      const accepted = answers.filter(({ status }) => status < 300);
      const refused = answers.filter(({ status }) => status === 409);
      expect([accepted.length, refused.length]).toEqual([1, 99]);
      const { historyId } = accepted[0]?.body as RunAnswer;
      await waitEnded<BackupDetailView>(second, `/v1/backups/history/${historyId}`, RUN_TIMEOUT_MS);
      const history = await second.call<Page<BackupView>>('GET', `/v1/backups/history?jobId=${job.id}`);
      expect(history.totalResults).toBe(1);
    },
    RUN_TIMEOUT_MS,
  );

  it(
    'adds only what changed when the second backup is incremental, and restores it equal',
    async () => {
      const job = await world.makeJob({ backupType: 'incremental' });
      const run = async (): Promise<BackupDetailView> => {
        const { historyId } = await second.call<RunAnswer>('POST', `/v1/backups/jobs/${job.id}/run`);
        return waitEnded<BackupDetailView>(second, `/v1/backups/history/${historyId}`, RUN_TIMEOUT_MS);
      };
      const first = await run();
      await world.customer.query(`UPDATE musteri SET ad = ad || '!' WHERE id = 7`, { database: world.customerDatabase });
      const next = await run();
      expect([first.status, first.backupType, next.status, next.backupType]).toEqual([
        'success',
        'full',
        'success',
        'incremental',
      ]);
      expect(next.baseBackupId).toBe(first.id);
      expect(next.storedBytes ?? Infinity).toBeLessThan((first.storedBytes ?? 0) / 2);
      const restore = await restored(next);
      expect(restore).toMatchObject({ status: 'success', errorCode: null });
      expect((await tableDigests(world.customer.url(restore.targetDatabase))).map(({ digest }) => digest)).toEqual(
        (await tableDigests(world.customer.url(world.customerDatabase))).map(({ digest }) => digest),
      );
    },
    RUN_TIMEOUT_MS,
  );

  it(
    'tries once more when the database cuts the dump, and keeps what the tool said of the first attempt',
    async () => {
      const holder = new Client({ connectionString: world.customer.url(world.customerDatabase) });
      await holder.connect();
      try {
        await holder.query('BEGIN; LOCK TABLE bos IN ACCESS EXCLUSIVE MODE');
        const job = await world.makeJob();
        const { historyId } = await second.call<RunAnswer>('POST', `/v1/backups/jobs/${job.id}/run`);
        const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LOCK TABLE%' AND wait_event_type = 'Lock'`;
        await waitFor(async () => (await world.customer.query(cut)).length > 0, { describe: 'the dump to wait for the lock' });
        expect(await (await fetch(`${second.baseUrl}/metrics`)).text()).toContain('rahatback_backups_running 1\n');
        await holder.query('ROLLBACK');
        const backup = await waitEnded<BackupDetailView>(second, `/v1/backups/history/${historyId}`, RUN_TIMEOUT_MS);
        const [first, next] = [...backup.attempts].sort((left, right) => left.attempt - right.attempt);
        expect([backup.status, first?.state, first?.errorCode, next?.state]).toEqual([
          'success',
          'failed',
          'DB_CONNECTION_LOST',
          'success',
        ]);
        expect(first?.logTail).toContain('terminating connection due to administrator command');
      } finally {
        await holder.end();
      }
    },
    RUN_TIMEOUT_MS,
  );

  it(
    'does not begin what the disk has no room for, and says both numbers',
    async () => {
      const backup = await backUp();
      await world.server.postgres.query(`UPDATE backups SET stored_bytes = 4000000000000000 WHERE id = '${backup.id}'`, {
        database: world.server.databaseName,
      });
      const { status, body } = await second.send('POST', `/v1/backups/jobs/${backup.jobId}/run`);
      const room = { neededBytes: 4e15, freeBytes: expect.any(Number) as number };
      expect([status, body]).toEqual([409, expect.objectContaining({ code: 'NO_SPACE', details: room })]);
      const history = await second.call<Page<BackupView>>('GET', `/v1/backups/history?jobId=${backup.jobId}`);
      expect(history.totalResults).toBe(1);
    },
    RUN_TIMEOUT_MS,
  );

  it(
    'skips with the reason while the agent is away, and says 503 to a restore',
    async () => {
      const backup = await backUp();
      await world.agent.daemon.stop();
      try {
        const job = await world.makeJob();
        const run = await waitFor(
          async () => {
            const answer = await second.call<RunAnswer>('POST', `/v1/backups/jobs/${job.id}/run`);
            return answer.success ? undefined : answer;
          },
          { describe: 'the agent to count as offline' },
        );
        expect(run).toMatchObject({ success: false, status: 'skipped', message: expect.stringContaining('agent') });
        const restore = await second.send('POST', `/v1/backups/history/${backup.id}/restore`, {});
        expect([restore.status, (restore.body as { code: string }).code]).toEqual([503, 'AGENT_OFFLINE']);
      } finally {
        await world.agent.daemon.start();
      }
    },
    RUN_TIMEOUT_MS,
  );
});
