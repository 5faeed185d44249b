import type { BackupDetailView, BackupView, Page } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import type { RunningApi } from '../../testing/start-api.js';
import { startApi } from '../../testing/start-api.js';
import { BackupScene, DoorAgent, EMPTY_WORDS, refusalOf } from './testing/backup-scene.js';

describe('a backup', () => {
  let api: RunningApi;
  let scene: BackupScene;

  beforeAll(async () => {
    api = await startApi({ config: { watchdogIntervalMs: 200, leaseMs: 60_000 } });
    scene = await BackupScene.create(api);
  }, 60_000);
  afterAll(() => api.stop());

  it('runs once however many ask at once', async () => {
    const jobId = await scene.job();
    const answers = await Promise.all(Array.from({ length: 100 }, () => scene.run(jobId)));
    const started = answers.filter(({ status }) => status === 201);
    expect(started).toHaveLength(1);
    expect(started[0]?.body).toMatchObject({ success: true, status: 'sent_to_agent', historyId: expect.any(String) });
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(99);
    const codes = answers.filter(({ status }) => status === 409).map(({ body }) => (body as { code?: string }).code);
    expect([...new Set(codes)]).toEqual(['ALREADY_RUNNING']);
    expect(await scene.sql('SELECT count(*)::int FROM backups WHERE job_id = $1', [jobId])).toEqual([[1]]);
    expect(await scene.sql('SELECT count(*)::int FROM commands WHERE resource = $1', [`backup:${jobId}`])).toEqual([[1]]);
  });

  it('goes from request to success, and tells what it is worth', async () => {
    const jobId = await scene.job();
    const { backupId, command } = await scene.started(jobId);
    expect(await scene.detail(backupId)).toMatchObject({ status: 'running', connection: 'connected', backupType: 'full' });
    const { agent } = scene;
    await agent.say('backup:started', {
      ...agent.report(command),
      at: new Date().toISOString(),
      clientTool: 'pg_dump 15.20',
      serverVersion: '15.20',
    });
    const progress = { progress: 10, currentStep: 'dump', bytesRead: 5, bytesStored: 4, bytesPerSecond: 3, etaSeconds: null };
    await agent.say('backup:progress', { ...agent.report(command), ...progress });
    await agent.say('backup:progress', { ...agent.report(command), ...progress, progress: 99 });
    expect((await scene.detail(backupId)).progress).toEqual(progress);
    await agent.completeBackup(command, 20_000_000);

    const detail = await scene.detail(backupId);
    expect(detail).toMatchObject({ status: 'success', connection: null, progress: null, sizeBytes: 20_000_000, errorCode: null });
    const [attempt] = detail.attempts;
    expect(attempt).toMatchObject({ attempt: 1, fence: command.fence, state: 'success', logTail: EMPTY_WORDS.logTail });
    expect(await scene.stored(backupId)).toEqual(
      ['data-00001', 'index', 'keys-1.json', 'manifest.json'].map((name) => `${command.fence}/${name}`),
    );
    const total = await scene.sql('SELECT sum(size_bytes)::int FROM backup_objects WHERE backup_id = $1', [backupId]);
    expect(detail.storedBytes).toBeGreaterThan(Number(total[0]?.[0]));
    expect((await scene.command('job:execute', `backup:${jobId}`)).state).toBe('succeeded');
    const actions = await scene.sql(`SELECT action, actor_type FROM audit_events WHERE target_id = $1 ORDER BY at, id`, [
      backupId,
    ]);
    expect(actions).toEqual([
      ['backup.started', 'user'],
      ['backup.succeeded', 'agent'],
    ]);
  });

  it('is skipped, with the reason, while the agent is away, and holds nothing', async () => {
    const jobId = await scene.job();
    await scene.sql('UPDATE agents SET session_id = NULL WHERE id = $1', [scene.agent.id]);
    try {
      const { status, body } = await scene.run(jobId);
      expect(status).toBe(201);
      expect(body).toMatchObject({ success: false, status: 'skipped', message: expect.stringContaining('offline') });
      expect(await scene.detail(body.historyId)).toMatchObject({ status: 'skipped', errorCode: 'AGENT_OFFLINE', attempts: [] });
      expect((await scene.cancel(body.historyId)).body.details?.status).toBe('skipped');
    } finally {
      await scene.sql('UPDATE agents SET session_id = $2 WHERE id = $1', [scene.agent.id, `socket-${scene.agent.id}`]);
    }
    await scene.started(jobId);
  });

  it('needs a recovery key first, and says how to make one', async () => {
    const jobId = await scene.job();
    const [row] = await scene.sql('SELECT recovery_recipient FROM workspaces WHERE id = $1', [scene.owner.workspaceId]);
    await scene.sql('UPDATE workspaces SET recovery_recipient = NULL WHERE id = $1', [scene.owner.workspaceId]);
    const { status, body } = await scene.run(jobId);
    await scene.sql('UPDATE workspaces SET recovery_recipient = $2 WHERE id = $1', [scene.owner.workspaceId, row?.[0]]);
    expect(status).toBe(409);
    expect(body).toMatchObject({ code: 'RECOVERY_KEY_MISSING', message: expect.stringContaining('recovery-key') });
  });

  it('does not run from a job that is switched off, or with a storage that is gone', async () => {
    const off = await scene.job();
    await scene.sql('UPDATE jobs SET is_active = false WHERE id = $1', [off]);
    expect((await scene.run(off)).body).toMatchObject({ code: 'CONFLICT' });
    const lost = await scene.job();
    await scene.sql('UPDATE storages SET deleted_at = now() WHERE id = $1', [scene.storageId]);
    const answer = await scene.run(lost);
    await scene.sql('UPDATE storages SET deleted_at = NULL WHERE id = $1', [scene.storageId]);
    expect(answer.body).toMatchObject({ code: 'CONFLICT' });
  });

  it('gets a new attempt, same row and higher fence, when its agent restarted; a second failure ends it', async () => {
    const jobId = await scene.job();
    const { backupId, command } = await scene.started(jobId);
    await scene.agent.send(command, 'data-00001', Buffer.alloc(9 * 1024 * 1024, 1));
    await scene.agent.fail(command, 'AGENT_RESTARTED');
    const second = await scene.command('job:execute', `backup:${jobId}`);
    expect(second.id).not.toBe(command.id);
    expect(second.fence).toBeGreaterThan(command.fence);
    expect(second.payload).toMatchObject({ attempt: 2, location: { backupId, fence: second.fence } });
    expect(await scene.detail(backupId)).toMatchObject({
      status: 'running',
      attempts: [
        { attempt: 1, state: 'failed', errorCode: 'AGENT_RESTARTED' },
        { attempt: 2, state: 'running' },
      ],
    });
    await scene.untilClean(backupId);
    expect(await scene.stored(backupId)).toEqual([]);
    expect(await refusalOf(scene.agent.publish(command, 'keys-1.json', 'e30='))).toBe('FENCED');
    await scene.agent.fail(second, 'AGENT_RESTARTED');
    expect(await scene.detail(backupId)).toMatchObject({ status: 'failed', errorCode: 'AGENT_RESTARTED' });
    await scene.started(jobId);
  });

  it('is not tried again for what a person must mend', async () => {
    const jobId = await scene.job();
    const { backupId, command } = await scene.started(jobId);
    await scene.agent.fail(command, 'DB_AUTH_FAILED');
    expect(await scene.detail(backupId)).toMatchObject({
      status: 'failed',
      errorCode: 'DB_AUTH_FAILED',
      attempts: [{ attempt: 1 }],
    });
  });

  it('ignores reports that come twice, late, or with another fence', async () => {
    const jobId = await scene.job();
    const { backupId, command } = await scene.started(jobId);
    const { agent } = scene;
    const made = await agent.completeBackup(command);
    const completed = { ...agent.report(command), backupId, manifestSha256: 'ab'.repeat(32), ...EMPTY_WORDS };
    expect(await agent.say('backup:completed', { ...completed, logTail: 'another log' })).toEqual({ confirmed: true });
    expect((await scene.detail(backupId)).attempts[0]?.logTail).toBe(EMPTY_WORDS.logTail);
    expect(await refusalOf(agent.fail(command, 'DUMP_FAILED'))).toBe('FENCED');
    expect(await refusalOf(agent.say('backup:completed', { ...completed, fence: command.fence + 1 }))).toBe('FENCED');
    expect(await refusalOf(agent.upload(command, 'data-00002', Buffer.from('late')))).toBe('FENCED');
    const progress = { progress: 1, currentStep: 'x', bytesRead: 1, bytesStored: 1, bytesPerSecond: 1, etaSeconds: null };
    expect(await refusalOf(agent.say('backup:progress', { ...agent.report(command), ...progress }))).toBe('FENCED');
    expect(await refusalOf(agent.publishManifest(command, made))).toBe('none');
    expect((await scene.detail(backupId)).status).toBe('success');
    expect(await scene.sql('SELECT count(*)::int FROM backup_attempts WHERE backup_id = $1', [backupId])).toEqual([[1]]);
  });

  it('builds on the chain, and by itself makes a full when it cannot', async () => {
    const jobId = await scene.job({ backupType: 'incremental', maxChainLength: 2 });
    const full = await scene.succeeded(jobId);
    const second = await scene.started(jobId);
    expect(second.command.payload).toMatchObject({
      chainId: full.command.payload.chainId,
      base: [{ backupId: full.backupId, fence: full.command.fence, backupType: 'full' }],
      location: { backupType: 'incremental' },
    });
    const { agent } = scene;
    const location = full.command.payload.location;
    const opened = await agent.say<{ sizeBytes: number; request: { url: string } }>('download:open', {
      ...agent.report(second.command),
      location,
      object: 'index',
    });
    expect((await (await fetch(opened.request.url)).arrayBuffer()).byteLength).toBe(opened.sizeBytes);
    const own = { ...agent.report(second.command), location: second.command.payload.location, object: 'index' };
    expect(await refusalOf(agent.say('download:open', own))).toBe('FORBIDDEN');
    await agent.completeBackup(second.command);
    expect(await refusalOf(agent.say('download:open', { ...agent.report(second.command), location, object: 'index' }))).toBe(
      'FENCED',
    );
    const third = await scene.started(jobId);
    expect(third.command.payload.base).toEqual([]);
    expect(third.command.payload.chainId).not.toBe(full.command.payload.chainId);
    expect((await scene.detail(third.backupId)).attempts[0]?.steps[0]?.detail).toContain('2 backups');

    expect((await scene.call('DELETE', `/v1/backups/history/${full.backupId}`)).body).toMatchObject({
      code: 'CHAIN_IN_USE',
      details: { dependentId: second.backupId },
    });
    expect((await scene.call('DELETE', `/v1/backups/history/${third.backupId}`)).body).toMatchObject({ code: 'ALREADY_RUNNING' });
    expect(await scene.call('DELETE', `/v1/backups/history/${second.backupId}`)).toMatchObject({
      status: 202,
      body: { success: true, status: 'deleting' },
    });
    await scene.untilEmpty(second.backupId);
    expect((await scene.call('DELETE', `/v1/backups/history/${full.backupId}`)).status).toBe(202);
    await scene.untilEmpty(full.backupId);
    const gone = async (): Promise<boolean> => (await scene.call('GET', `/v1/backups/history/${full.backupId}`)).status === 404;
    await waitFor(gone, { describe: 'the deleted backup to leave the history' });
  });

  it('is found in the history by status, job, type and date, a page at a time', async () => {
    const jobId = await scene.job();
    for (let count = 0; count < 3; count += 1) await scene.succeeded(jobId);
    const page = async (query: string): Promise<Page<BackupView>> =>
      (await scene.call<Page<BackupView>>('GET', `/v1/backups/history?jobId=${jobId}${query}`)).body;
    expect(await page('&limit=2')).toMatchObject({ page: 1, limit: 2, totalPages: 2, totalResults: 3 });
    expect((await page('&limit=2&page=2')).results).toHaveLength(1);
    expect((await page('&status=success&backupType=full')).totalResults).toBe(3);
    expect((await page('&status=failed')).totalResults).toBe(0);
    expect((await page(`&to=${new Date(0).toISOString()}`)).totalResults).toBe(0);
    expect((await page(`&from=${new Date(0).toISOString()}`)).totalResults).toBe(3);
    const started = (await page('')).results.map(({ startedAt }) => startedAt);
    expect(started).toEqual([...started].sort().reverse());
    expect((await scene.call('GET', '/v1/backups/history?status=perhaps')).status).toBe(400);
  });

  it('belongs to its workspace alone', async () => {
    const jobId = await scene.job();
    const { backupId, command } = await scene.succeeded(jobId);
    const other = await BackupScene.create(api);
    const routes = [
      ['POST', `/v1/backups/jobs/${jobId}/run`],
      ['GET', `/v1/backups/history/${backupId}`],
      ['POST', `/v1/backups/history/${backupId}/cancel`],
      ['DELETE', `/v1/backups/history/${backupId}`],
      ['POST', `/v1/backups/history/${backupId}/restore`],
    ] as const;
    for (const [method, path] of routes) {
      const { status, body } = await other.call<{ code: string }>(method, path, path.endsWith('restore') ? {} : undefined);
      expect([method, path, status, body.code]).toEqual([method, path, 404, 'NOT_FOUND']);
      const bad = path.replace(/[0-9a-f-]{36}/, 'no-id');
      expect((await other.call(method, bad, path.endsWith('restore') ? {} : undefined)).status).toBe(400);
      expect((await api.call(method, path)).status).toBe(401);
    }
    expect((await other.call<Page<BackupView>>('GET', '/v1/backups/history')).body.totalResults).toBe(0);
    expect(await refusalOf(other.agent.fail(command, 'DUMP_FAILED'))).toBe('NOT_FOUND');
    const neighbour = new DoorAgent(api, scene.owner.workspaceId);
    await scene.insertAgent(neighbour);
    expect(await refusalOf(neighbour.publish(command, 'keys-1.json', 'e30='))).toBe('NOT_FOUND');
    const location = command.payload.location;
    const reading = { ...neighbour.report(command), location, object: 'index' };
    expect(await refusalOf(neighbour.say('download:open', reading))).toBe('NOT_FOUND');
  });

  it('may be looked at, but not touched, by a viewer', async () => {
    const jobId = await scene.job();
    const { backupId } = await scene.succeeded(jobId);
    await scene.sql(`UPDATE memberships SET role = 'viewer' WHERE user_id = $1`, [scene.owner.userId]);
    try {
      expect((await scene.call<BackupDetailView>('GET', `/v1/backups/history/${backupId}`)).status).toBe(200);
      const routes = [
        ['POST', `/v1/backups/jobs/${jobId}/run`],
        ['POST', `/v1/backups/history/${backupId}/cancel`],
        ['DELETE', `/v1/backups/history/${backupId}`],
        ['POST', `/v1/backups/history/${backupId}/restore`],
      ] as const;
      for (const [method, path] of routes) expect([path, (await scene.call(method, path)).status]).toEqual([path, 403]);
    } finally {
      await scene.sql(`UPDATE memberships SET role = 'owner' WHERE user_id = $1`, [scene.owner.userId]);
    }
  });
});
