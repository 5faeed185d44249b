import { waitFor } from '@rahatback/testing';
import { CommandSettlement } from '../agents/command-settlement.service.js';
import type { RunningApi } from '../../testing/start-api.js';
import { startApi } from '../../testing/start-api.js';
import { BackupScene, refusalOf } from './testing/backup-scene.js';

describe('a backup that nobody ends', () => {
  let api: RunningApi;
  let scene: BackupScene;

  beforeAll(async () => {
    api = await startApi({ config: { watchdogIntervalMs: 200, leaseMs: 1500 } });
    scene = await BackupScene.create(api);
  }, 60_000);
  afterAll(() => api.stop());

  const until = (backupId: string, status: string): Promise<true> =>
    waitFor(async () => (await scene.detail(backupId)).status === status, { describe: `the backup to be ${status}` });

  it('is running and lost while its agent is away, and failed when its lease has run out; late results are fenced off', async () => {
    const jobId = await scene.job();
    const { backupId, command } = await scene.started(jobId);
    const made = await scene.agent.uploadAll(command);
    await scene.sql('UPDATE agents SET session_id = NULL WHERE id = $1', [scene.agent.id]);
    expect(await scene.detail(backupId)).toMatchObject({ status: 'running', connection: 'lost' });
    await until(backupId, 'failed');
    await scene.sql('UPDATE agents SET session_id = $2 WHERE id = $1', [scene.agent.id, `socket-${scene.agent.id}`]);
    expect(await scene.detail(backupId)).toMatchObject({ errorCode: 'LEASE_EXPIRED', attempts: [{ state: 'fenced' }] });
    expect(await refusalOf(scene.agent.publishManifest(command, made))).toBe('FENCED');
    await scene.untilClean(backupId);
    expect(await scene.stored(backupId)).toEqual([]);
    const next = await scene.started(jobId);
    expect(next.command.fence).toBeGreaterThan(command.fence);
    await scene.agent.completeBackup(next.command);
  });

  it('is stopped at the time limit of its job, and the agent is told', async () => {
    const jobId = await scene.job();
    const { backupId, command } = await scene.started(jobId);
    await scene.sql(`UPDATE leases SET expires_at = now() + interval '1 hour' WHERE operation_id = $1`, [backupId]);
    await scene.sql(`UPDATE backups SET deadline_at = now() - interval '1 second' WHERE id = $1`, [backupId]);
    await until(backupId, 'failed');
    expect((await scene.detail(backupId)).errorCode).toBe('TIME_LIMIT');
    expect(await scene.command('job:cancel', `backup:${jobId}`)).toMatchObject({ payload: { targetCommandId: command.id } });
    const [lease] = await scene.sql('SELECT holder FROM leases WHERE resource = $1', [`backup:${jobId}`]);
    expect(lease).toEqual([null]);
  });

  it('ends once when several workers look at the same time', async () => {
    const second = await startApi({
      database: api.postgres,
      redis: api.redis,
      config: { watchdogIntervalMs: 100, keysDir: api.config.keysDir, storageRoot: api.config.storageRoot },
    });
    try {
      const runs = await Promise.all(Array.from({ length: 10 }, async () => scene.started(await scene.job())));
      for (const { backupId } of runs) await until(backupId, 'failed');
      for (const { backupId } of runs) {
        const ended = await scene.sql(
          `SELECT count(*)::int FROM audit_events WHERE target_id = $1 AND action = 'backup.failed'`,
          [backupId],
        );
        expect(ended).toEqual([[1]]);
      }
    } finally {
      await second.stop();
    }
  }, 60_000);

  it('is settled when its command was refused, and tried again when the agent has lost its memory of it', async () => {
    const refusedJob = await scene.job();
    const refused = await scene.started(refusedJob);
    const settlement = api.app.get(CommandSettlement);
    const error = { code: 'AGENT_POLICY_REFUSED', message: 'The policy of the agent forbids it.' } as const;
    await settlement.settle(refused.command.id, scene.owner.workspaceId, { state: 'refused', message: { error } });
    expect(await scene.detail(refused.backupId)).toMatchObject({ status: 'failed', errorCode: 'AGENT_POLICY_REFUSED' });

    const lostJob = await scene.job();
    const lost = await scene.started(lostJob);
    const restarted = { code: 'AGENT_RESTARTED', message: 'The agent came back without memory.' } as const;
    await settlement.settle(lost.command.id, scene.owner.workspaceId, { state: 'failed', message: { error: restarted } });
    const second = await scene.command('job:execute', `backup:${lostJob}`);
    expect(second.fence).toBeGreaterThan(lost.command.fence);
    expect(second.payload.attempt).toBe(2);
    expect((await scene.detail(lost.backupId)).status).toBe('running');
  });

  it('leaves no upload that a dead process has opened and told nobody of', async () => {
    const { backupId, command } = await scene.started(await scene.job());
    const backend = await scene.backend();
    const prefix = `${scene.owner.workspaceId}/${scene.databaseId}/${backupId}/${command.fence}/`;
    await backend.createUpload(`${prefix}data-00001`);
    await scene.agent.completeBackup(command);
    expect((await scene.stored(backupId)).filter((name) => name.endsWith('(open)'))).toEqual([]);

    const dead = await scene.started(await scene.job());
    const place = `${scene.owner.workspaceId}/${scene.databaseId}/${dead.backupId}/${dead.command.fence}/`;
    await backend.createUpload(`${place}index`);
    await backend.putIfAbsent(`${place}data-00007`, Buffer.from('nobody knows me'));
    await scene.cancel(dead.backupId);
    await scene.untilClean(dead.backupId);
    expect(await scene.stored(dead.backupId)).toEqual([]);
  });
});
