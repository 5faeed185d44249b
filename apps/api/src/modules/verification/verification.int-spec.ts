import type { BackupDetailView, BackupView, Page, TableComparison, VerificationView } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import type { RunningApi } from '../../testing/start-api.js';
import { startApi } from '../../testing/start-api.js';
import { BackupScene, refusalOf } from '../backups/testing/backup-scene.js';
import { failedAt, passedChecks, VerificationTalk } from './testing/verification-scene.js';

const table = (change: Partial<TableComparison> = {}): TableComparison => ({
  schema: 'public',
  table: 'orders',
  rows: 3,
  restoredRows: 3,
  equal: true,
  ...change,
});

describe('a verification', () => {
  let api: RunningApi;
  let scene: BackupScene;
  let talk: VerificationTalk;
  let backupId: string;

  beforeAll(async () => {
    api = await startApi({ config: { watchdogIntervalMs: 200, leaseMs: 60_000 } });
    scene = await BackupScene.create(api);
    talk = new VerificationTalk(scene);
    ({ backupId } = await scene.succeeded(await scene.job()));
  }, 60_000);
  afterAll(() => api.stop());

  const fresh = async (): Promise<string> => (await scene.succeeded(await scene.job())).backupId;
  const remove = (id: string) => scene.call<{ code?: string }>('DELETE', `/v1/backups/history/${id}`);
  const offline = async <T>(work: () => Promise<T>): Promise<T> => {
    await scene.sql('UPDATE agents SET session_id = NULL WHERE id = $1', [scene.agent.id]);
    try {
      return await work();
    } finally {
      await scene.sql('UPDATE agents SET session_id = $2 WHERE id = $1', [scene.agent.id, `socket-${scene.agent.id}`]);
    }
  };

  it('goes from request to PASSED, reads only its backup, and leaves its result in the history', async () => {
    const asked = await talk.ask(backupId, {});
    expect(asked).toMatchObject({ status: 201, body: { success: true, status: 'sent_to_agent' } });
    const command = await talk.command(backupId);
    const id = asked.body.verificationId;
    expect(command.payload).toMatchObject({
      verificationId: id,
      level: 'BASIC',
      databaseType: 'postgresql',
      backup: { backupId },
      links: [],
      agentPath: null,
      timeLimitMs: 180 * 60_000,
    });
    expect(await talk.view(id)).toMatchObject({ status: 'PENDING', trigger: 'manual', connection: 'connected', checks: [] });
    const { agent } = scene;
    const read = { ...agent.report(command), location: command.payload.backup, object: 'data-00001' };
    const opened = await agent.say<{ request: { url: string } }>('download:open', read);
    const part = await fetch(opened.request.url, { headers: { range: 'bytes=0-39' } });
    expect([part.status, (await part.arrayBuffer()).byteLength]).toEqual([206, 40]);

    await agent.say('verification:started', { ...agent.report(command), at: '', clientTool: '', serverVersion: '' });
    const progress = { progress: 5, currentStep: 'objects', bytesRead: 1, bytesStored: 0, bytesPerSecond: 1, etaSeconds: 9 };
    await agent.say('verification:progress', { ...agent.report(command), ...progress });
    await agent.say('verification:progress', { ...agent.report(command), ...progress, progress: 99 });
    expect(await talk.view(id)).toMatchObject({ progress, steps: [{ name: 'started' }] });
    expect(await talk.complete(command)).toEqual({ confirmed: true });
    expect(await talk.complete(command)).toEqual({ confirmed: true });
    expect(await talk.view(id)).toMatchObject({
      status: 'PASSED',
      progress: null,
      connection: null,
      reason: null,
      checks: passedChecks('BASIC'),
      logTail: 'pg_dump: done',
      durationMs: expect.any(Number),
    });
    expect(await refusalOf(agent.say('download:open', read))).toBe('FENCED');
    expect((await talk.command(backupId)).state).toBe('succeeded');
    expect(await scene.detail(backupId)).toMatchObject({
      verificationStatus: 'PASSED',
      verificationLevel: 'BASIC',
      verifiedAt: expect.any(String),
      measuredRestoreMs: null,
      damage: null,
    });
    const audited = await scene.sql('SELECT action, actor_type FROM audit_events WHERE target_id = $1 ORDER BY at, id', [id]);
    expect(audited).toEqual([
      ['verification.started', 'user'],
      ['verification.passed', 'agent'],
    ]);
  });

  it('runs once for a backup however many ask, and keeps the backup from being deleted meanwhile', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => talk.ask(backupId)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array.from({ length: 9 }, () => 409)]);
    expect(new Set(answers.filter(({ status }) => status === 409).map(({ body }) => body.code))).toEqual(
      new Set(['ALREADY_RUNNING']),
    );
    expect(await remove(backupId)).toMatchObject({ status: 409, body: { code: 'ALREADY_RUNNING' } });
    const database = await scene.call('DELETE', `/v1/databases/${scene.databaseId}`);
    expect(database).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    const command = await talk.command(backupId);
    const cancelled = await scene.call<VerificationView>('POST', `/v1/verifications/${command.payload.verificationId}/cancel`);
    expect(cancelled).toMatchObject({ status: 200, body: { status: 'SKIPPED', errorCode: 'CANCELLED' } });
    const again = await scene.call('POST', `/v1/verifications/${command.payload.verificationId}/cancel`);
    expect(again).toMatchObject({ status: 409, body: { code: 'TOO_LATE', details: { status: 'SKIPPED' } } });
    expect(await refusalOf(talk.complete(command))).toBe('FENCED');
    expect(await refusalOf(talk.complete(command, { status: 'SKIPPED', reason: 'x' }))).toBe('FENCED');
    const next = await talk.begun(backupId);
    expect(next.fence).toBeGreaterThan(command.fence);
    await talk.complete(next);
  });

  it('is refused with the reason: no good backup, no agent, no level', async () => {
    const failed = await scene.started(await scene.job());
    expect(await talk.ask(failed.backupId)).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    await scene.agent.fail(failed.command, 'DB_PRIVILEGE');
    expect(await talk.ask(failed.backupId)).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    expect(await offline(() => talk.ask(backupId))).toMatchObject({ status: 503, body: { code: 'AGENT_OFFLINE' } });
    expect(await talk.ask(backupId, { verificationLevel: 'DEEP' })).toMatchObject({ status: 400, body: { code: 'VALIDATION' } });
    const gone = await fresh();
    await scene.sql('UPDATE backups SET deleting_at = now() WHERE id = $1', [gone]);
    expect(await talk.ask(gone)).toMatchObject({ status: 409, body: { code: 'CONFLICT', details: { status: 'deleting' } } });
    await scene.untilEmpty(gone);
    const isGone = async () => (await talk.ask(gone)).status === 404;
    await waitFor(isGone, { describe: 'the deleted backup to be unknown' });
  });

  it('measures the restore at level FULL, and keeps the comparison for who looks at it alone', async () => {
    const id = await fresh();
    const tables = [table(), table({ table: 'items' })];
    const seen = await talk.verified(id, 'FULL', { tables, tablesTotal: 2, tablesEqual: 2, restoreMs: 61_000 });
    expect(seen).toMatchObject({ status: 'PASSED', tables, tablesTotal: 2, tablesEqual: 2, restoreMs: 61_000 });
    expect(await scene.detail(id)).toMatchObject({ verificationLevel: 'FULL', measuredRestoreMs: 61_000 });
    const listed = await scene.call<Page<VerificationView>>('GET', `/v1/backups/history/${id}/verifications`);
    expect(listed.body).toMatchObject({ totalResults: 1, results: [{ id: seen.id, tables: [], logTail: null, tablesTotal: 2 }] });
    await talk.verified(id, 'BASIC');
    expect(await scene.detail(id)).toMatchObject({ verificationLevel: 'BASIC', measuredRestoreMs: 61_000 });
  });

  it('does not believe a PASSED that its own numbers contradict, or that was not earned', async () => {
    const id = await fresh();
    const unequal = await talk.verified(id, 'FULL', { tables: [table({ restoredRows: 2 })], tablesTotal: 1, tablesEqual: 1 });
    expect(unequal).toMatchObject({ status: 'FAILED', errorCode: 'VERIFICATION_FAILED' });
    expect(unequal.reason).toContain('public.orders');
    const unearned = await talk.verified(id, 'FULL', { checks: passedChecks('BASIC') });
    expect(unearned).toMatchObject({ status: 'SKIPPED', reason: expect.stringContaining('"contents"') });
    expect((await scene.detail(id)).verificationStatus).toBe('FAILED');
  });

  it('has a FAILED cleared only by a PASSED that looked as deep, and never by what could not be judged', async () => {
    const id = await fresh();
    const said = async () => {
      const { verificationStatus, verificationLevel, damage } = await scene.detail(id);
      return [verificationStatus, verificationLevel, damage];
    };
    await talk.verified(id, 'DATABASE', { status: 'FAILED', checks: failedAt('frames', { backupId: id, object: 'data-00001' }) });
    const bad = ['FAILED', 'DATABASE', 'data-00001: It is not what was written.'];
    expect(await said()).toEqual(bad);
    await talk.verified(id, 'BASIC');
    expect(await said()).toEqual(bad);
    await talk.verified(id, 'BASIC', { status: 'FAILED', checks: failedAt('keys', {}) });
    expect(await said()).toEqual(bad);
    expect(await talk.verified(id, 'FULL', { status: 'SKIPPED', reason: 'No room.' })).toMatchObject({ reason: 'No room.' });
    await talk.fail(await talk.begun(id), 'STORAGE_UNREACHABLE');
    expect(await said()).toEqual(bad);
    await talk.verified(id, 'DATABASE');
    expect(await said()).toEqual(['PASSED', 'DATABASE', null]);
  });

  it('is SKIPPED, and says nothing of the backup, when it could not be carried out', async () => {
    const id = await fresh();
    const command = await talk.begun(id);
    await talk.fail(command, 'AGENT_RESTARTED');
    await talk.fail(command, 'STORAGE_UNREACHABLE');
    expect(await talk.view(command.payload.verificationId)).toMatchObject({
      status: 'SKIPPED',
      errorCode: 'AGENT_RESTARTED',
      reason: 'AGENT_RESTARTED happened.',
      logTail: 'pg_dump: done',
    });
    expect(await scene.detail(id)).toMatchObject({ verificationStatus: null, verifiedAt: null });
  });

  it('ends when its lease runs out, at its time limit, or when the command is too old', async () => {
    const [lost, late, old] = [await talk.begun(await fresh()), await talk.begun(await fresh()), await talk.begun(await fresh())];
    const idOf = (command: typeof lost) => command.payload.verificationId;
    await scene.sql(`UPDATE leases SET expires_at = now() - interval '1 second' WHERE operation_id = $1`, [idOf(lost)]);
    await scene.sql(`UPDATE verifications SET deadline_at = now() - interval '1 second' WHERE id = $1`, [idOf(late)]);
    await scene.sql(`UPDATE commands SET expires_at = now() - interval '1 second', state = 'queued' WHERE id = $1`, [old.id]);
    const codes = async () => Promise.all([lost, late, old].map(async (command) => (await talk.view(idOf(command))).errorCode));
    const ended = async () => !(await codes()).includes(null);
    await waitFor(ended, { describe: 'all three to end', timeoutMs: 15_000 });
    expect(await codes()).toEqual(['LEASE_EXPIRED', 'TIME_LIMIT', 'COMMAND_EXPIRED']);
    const told = await scene.command<{ targetCommandId: string }>(
      'verification:cancel',
      `verification:${late.payload.backup.backupId}`,
    );
    expect(told.payload.targetCommandId).toBe(late.id);
    expect(await refusalOf(talk.complete(lost))).toBe('FENCED');
    await talk.fail(late, 'CANCELLED');
    expect(await talk.view(idOf(late))).toMatchObject({ errorCode: 'TIME_LIMIT', logTail: 'pg_dump: done' });
  });

  it('ends once, whoever comes first: a person, the clock, or the agent, which says it again and again', async () => {
    for (let round = 0; round < 5; round += 1) {
      const command = await talk.begun(backupId);
      const id = command.payload.verificationId;
      const ends = await Promise.allSettled([
        talk.complete(command),
        scene.call('POST', `/v1/verifications/${id}/cancel`),
        talk.complete(command),
        scene.sql(`UPDATE verifications SET deadline_at = now() - interval '1 second' WHERE id = $1`, [id]),
        talk.fail(command, 'STORAGE_UNREACHABLE'),
        talk.ask(backupId),
      ]);
      for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'FENCED' });
      expect((await talk.view(id)).status).not.toBe('PENDING');
      const endings = await scene.sql(
        `SELECT count(*)::int FROM audit_events WHERE target_id = $1 AND action <> 'verification.started'`,
        [id],
      );
      expect(endings).toEqual([[1]]);
      const pending = await scene.sql(`SELECT id FROM verifications WHERE backup_id = $1 AND status = 'PENDING'`, [backupId]);
      for (const [next] of pending) await scene.call('POST', `/v1/verifications/${String(next)}/cancel`);
    }
  });

  it('takes reports of its agent, fence and shape only', async () => {
    const id = await fresh();
    const command = await talk.begun(id);
    const other = await BackupScene.create(api);
    const report = { ...command, payload: command.payload };
    expect(await refusalOf(new VerificationTalk(other).complete(report))).toBe('NOT_FOUND');
    expect(await refusalOf(talk.complete({ ...command, fence: command.fence + 1 }))).toBe('FENCED');
    expect(await refusalOf(talk.complete(command, { verificationId: command.id }))).toBe('FENCED');
    expect(await refusalOf(talk.complete(command, { checks: [{ name: 'vibes' }] as never }))).toBe('WS_BAD_FRAME');
    expect((await talk.view(command.payload.verificationId)).status).toBe('PENDING');
    await talk.complete(command);
  });

  it('belongs to its workspace alone, and a viewer only looks', async () => {
    const id = await fresh();
    const { payload } = await talk.begun(id);
    const other = await BackupScene.create(api);
    const routes = [
      ['POST', `/v1/backups/history/${id}/verify`],
      ['GET', `/v1/backups/history/${id}/verifications`],
      ['GET', `/v1/verifications/${payload.verificationId}`],
      ['POST', `/v1/verifications/${payload.verificationId}/cancel`],
    ] as const;
    for (const [method, path] of routes) {
      expect([path, (await other.call(method, path)).status]).toEqual([path, 404]);
      expect([path, (await other.call(method, path.replace(/[0-9a-f-]{36}/, 'no-id'))).status]).toEqual([path, 400]);
      expect([path, (await api.call(method, path)).status]).toEqual([path, 401]);
    }
    expect((await other.call<Page<VerificationView>>('GET', '/v1/verifications')).body.totalResults).toBe(0);
    await scene.sql(`UPDATE memberships SET role = 'viewer' WHERE user_id = $1`, [scene.owner.userId]);
    const statuses = [];
    for (const [method, path] of routes) statuses.push((await scene.call(method, path)).status);
    await scene.sql(`UPDATE memberships SET role = 'owner' WHERE user_id = $1`, [scene.owner.userId]);
    expect(statuses).toEqual([403, 200, 200, 403]);
  });

  it('is found by status, backup and database, a page at a time; and backups by their verification', async () => {
    const id = await fresh();
    const unjudged = await fresh();
    await talk.verified(id, 'BASIC', { status: 'FAILED', checks: failedAt('objects', { backupId: id, object: 'index' }) });
    await talk.verified(id, 'BASIC');
    const found = async (query: string) => (await scene.call<Page<VerificationView>>('GET', `/v1/verifications?${query}`)).body;
    expect(await found(`backupId=${id}&limit=1`)).toMatchObject({
      totalResults: 2,
      totalPages: 2,
      results: [{ status: 'PASSED' }],
    });
    expect(await found(`backupId=${id}&status=FAILED`)).toMatchObject({ totalResults: 1, results: [{ backupId: id }] });
    expect((await found(`databaseId=${scene.databaseId}&backupId=${id}`)).totalResults).toBe(2);
    expect((await found(`databaseId=${id}`)).totalResults).toBe(0);
    expect((await scene.call('GET', '/v1/verifications?status=GREEN')).status).toBe(400);
    const ids = async (query: string) =>
      (await scene.call<Page<BackupView>>('GET', `/v1/backups/history?limit=100&${query}`)).body.results.map((row) => row.id);
    expect(await ids('verificationStatus=PASSED')).toContain(id);
    expect(await ids('verificationStatus=FAILED')).not.toContain(id);
    const none = await ids('verificationStatus=none');
    expect([none.includes(unjudged), none.includes(id)]).toEqual([true, false]);
    expect((await scene.call('GET', '/v1/backups/history?verificationStatus=maybe')).status).toBe(400);
    const row = await scene.call<Page<BackupDetailView>>('GET', '/v1/backups/history?limit=1&verificationStatus=PASSED');
    expect(row.body.results[0]).toMatchObject({ verificationStatus: 'PASSED', verificationLevel: 'BASIC', damage: null });
  });
});
