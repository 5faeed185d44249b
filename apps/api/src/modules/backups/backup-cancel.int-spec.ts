import { randomUUID } from 'node:crypto';
import type { BackupPayload } from '@rahatback/contracts';
import { seededRandom, seedFromEnv } from '@rahatback/testing';
import type { RunningApi } from '../../testing/start-api.js';
import { startApi } from '../../testing/start-api.js';
import { BackupScene, EMPTY_WORDS, refusalOf, type SentCommand } from './testing/backup-scene.js';

const SMALL = 100_000;
const LARGE = 9 * 1024 * 1024;

describe('cancelling a backup', () => {
  let api: RunningApi;
  let scene: BackupScene;

  beforeAll(async () => {
    api = await startApi({ config: { watchdogIntervalMs: 200, databasePoolSize: 20 } });
    scene = await BackupScene.create(api);
  }, 60_000);
  afterAll(() => api.stop());

  const endsCancelled = async (backupId: string): Promise<void> => {
    expect(await scene.detail(backupId)).toMatchObject({
      status: 'cancelled',
      errorCode: 'CANCELLED',
      attempts: [{ state: 'cancelled' }],
    });
    await scene.untilClean(backupId);
    expect(await scene.stored(backupId)).toEqual([]);
  };

  it('before it starts takes the command back', async () => {
    const jobId = await scene.job();
    const { backupId } = await scene.started(jobId);
    expect((await scene.cancel(backupId)).status).toBe(200);
    await endsCancelled(backupId);
    expect((await scene.command('job:execute', `backup:${jobId}`)).state).toBe('cancelled');
    await scene.started(jobId);
  });

  it('is done with even when its storage has never held anything', async () => {
    const storageId = randomUUID();
    await scene.sql(
      `INSERT INTO storages (id, workspace_id, storage_type, name, settings) VALUES ($1, $2, 'local', 'New', '{"path":"new"}')`,
      [storageId, scene.owner.workspaceId],
    );
    const { backupId } = await scene.started(await scene.job({ storageId }));
    await scene.cancel(backupId);
    await scene.untilClean(backupId, 30_000);
  }, 40_000);

  it('tells the agent, and keeps what it then says', async () => {
    const jobId = await scene.job();
    const { backupId, command } = await scene.started(jobId);
    await scene.sql(`UPDATE commands SET state = 'running', deliveries = 1 WHERE id = $1`, [command.id]);
    await scene.cancel(backupId);
    const told = await scene.command<{ targetCommandId: string }>('job:cancel', `backup:${jobId}`);
    expect(told).toMatchObject({ payload: { targetCommandId: command.id }, fence: command.fence });
    expect(await scene.agent.fail(command, 'CANCELLED')).toEqual({ confirmed: true });
    expect((await scene.detail(backupId)).attempts[0]?.logTail).toBe(EMPTY_WORDS.logTail);
    await endsCancelled(backupId);
  });

  it.each([SMALL, LARGE])(
    'in the middle of an upload of %d bytes leaves nothing, and nothing late comes back',
    async (sizeBytes) => {
      const { backupId, command } = await scene.started(await scene.job());
      const { agent } = scene;
      const stored = await agent.uploadAll(command, sizeBytes);
      expect(stored.objects.size).toBe(2);
      const sent = await agent.send(command, 'data-00002', Buffer.alloc(sizeBytes, 3));
      const { parts, object } = sent;
      const late = await agent.say<{ url: string }>('upload:part', { ...agent.report(command), object, ...parts[0] });
      expect((await scene.cancel(backupId)).status).toBe(200);
      await endsCancelled(backupId);
      const put = await fetch(late.url, { method: 'PUT', body: new Uint8Array(Math.min(sizeBytes, 8 * 1024 * 1024)).fill(3) });
      expect(put.status).toBe(403);
      expect(await refusalOf(agent.say('upload:complete', { ...agent.report(command), ...sent }))).toBe('FENCED');
      expect(await refusalOf(agent.say('upload:begin', { ...agent.report(command), object: 'index' }))).toBe('FENCED');
      expect(await refusalOf(agent.publishManifest(command, stored))).toBe('FENCED');
      expect(await scene.stored(backupId)).toEqual([]);
    },
  );

  it.each([SMALL, LARGE])('while an object of %d bytes is being completed leaves nothing', async (sizeBytes) => {
    for (let round = 0; round < 5; round += 1) {
      const { backupId, command } = await scene.started(await scene.job());
      const sent = await scene.agent.send(command, 'data-00001', Buffer.alloc(sizeBytes, round));
      const completing = refusalOf(scene.agent.say('upload:complete', { ...scene.agent.report(command), ...sent }));
      expect((await scene.cancel(backupId)).status).toBe(200);
      expect(['none', 'FENCED']).toContain(await completing);
      await endsCancelled(backupId);
    }
  });

  it('while the manifest is being published is too late', async () => {
    const { backupId, command } = await scene.started(await scene.job());
    const made = await scene.agent.uploadAll(command);
    await scene.sql('UPDATE backups SET publishing = true, publishing_at = now() WHERE id = $1', [backupId]);
    expect(await scene.cancel(backupId)).toMatchObject({
      status: 409,
      body: { code: 'TOO_LATE', details: { status: 'running' } },
    });
    expect(await refusalOf(scene.agent.fail(command, 'DUMP_FAILED'))).toBe('UNAVAILABLE');
    await scene.agent.publishManifest(command, made);
    expect((await scene.detail(backupId)).status).toBe('success');
  });

  it('after its end is too late, and says how it ended', async () => {
    const done = await scene.succeeded(await scene.job());
    expect(await scene.cancel(done.backupId)).toMatchObject({
      status: 409,
      body: { code: 'TOO_LATE', details: { status: 'success' } },
    });
    expect((await scene.stored(done.backupId)).length).toBe(4);
    const failed = await scene.started(await scene.job());
    await scene.agent.fail(failed.command, 'DB_PRIVILEGE');
    expect((await scene.cancel(failed.backupId)).body.details?.status).toBe('failed');
  });

  it('is done once when two ask at once', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { backupId } = await scene.started(await scene.job());
      const answers = await Promise.all([scene.cancel(backupId), scene.cancel(backupId)]);
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
      const audited = await scene.sql(
        `SELECT count(*)::int FROM audit_events WHERE target_id = $1 AND action = 'backup.cancelled'`,
        [backupId],
      );
      expect(audited).toEqual([[1]]);
    }
  });

  it('and completing at once has one winner, two hundred times', async () => {
    const random = seededRandom(seedFromEnv('cancel and complete'));
    const wins = { success: 0, cancelled: 0 };
    const races = Array.from({ length: 200 }, () => ({ cancelDelay: random.int(7), publishDelay: random.int(7) }));
    const ended: { backupId: string; status: 'success' | 'cancelled' }[] = [];
    const race = async (): Promise<void> => {
      for (let next = races.pop(); next !== undefined; next = races.pop()) {
        const { backupId, command } = await scene.started(await scene.job());
        const status = await oneRace(backupId, command, next);
        wins[status] += 1;
        ended.push({ backupId, status });
      }
    };
    await Promise.all(Array.from({ length: 6 }, race));
    expect(wins.success + wins.cancelled).toBe(200);
    expect(Math.min(wins.success, wins.cancelled)).toBeGreaterThan(0);
    for (const { backupId, status } of ended) {
      if (status === 'cancelled') await scene.untilEmpty(backupId);
      else expect((await scene.stored(backupId)).length).toBe(4);
      expect((await scene.detail(backupId)).status).toBe(status);
    }
  }, 180_000);

  const oneRace = async (
    backupId: string,
    command: SentCommand<BackupPayload>,
    delays: { cancelDelay: number; publishDelay: number },
  ): Promise<'success' | 'cancelled'> => {
    const made = await scene.agent.uploadAll(command, 10);
    const [cancelled, published] = await Promise.all([
      after(delays.cancelDelay, () => scene.cancel(backupId)),
      after(delays.publishDelay, () => refusalOf(scene.agent.publishManifest(command, made))),
    ]);
    const winners = [cancelled.status === 200, published === 'none'];
    expect([delays, winners.filter(Boolean).length]).toEqual([delays, 1]);
    if (cancelled.status === 200) expect(published).toBe('FENCED');
    else expect(cancelled.body.code).toBe('TOO_LATE');
    return cancelled.status === 200 ? 'cancelled' : 'success';
  };

  /** Lets the other side get ahead by so many round trips to the database. */
  const after = async <T>(roundTrips: number, work: () => Promise<T>): Promise<T> => {
    for (let count = 0; count < roundTrips; count += 1) await scene.sql('SELECT 1');
    return work();
  };
});
