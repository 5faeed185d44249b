import type { BackupView, Page, RestoreAnswer, RestorePayload, RestoreView, TableComparison } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import type { RunningApi } from '../../testing/start-api.js';
import { startApi } from '../../testing/start-api.js';
import { BackupScene, EMPTY_WORDS, refusalOf, type SentCommand } from '../backups/testing/backup-scene.js';

const table = (change: Partial<TableComparison> = {}): TableComparison => ({
  schema: 'public',
  table: 'orders',
  rows: 3,
  restoredRows: 3,
  equal: true,
  ...change,
});

describe('a restore', () => {
  let api: RunningApi;
  let scene: BackupScene;
  let backupId: string;
  let jobId: string;

  beforeAll(async () => {
    api = await startApi({ config: { watchdogIntervalMs: 200, leaseMs: 60_000 } });
    scene = await BackupScene.create(api);
    jobId = await scene.job();
    ({ backupId } = await scene.succeeded(jobId));
  }, 60_000);
  afterAll(() => api.stop());

  const ask = (body: object, id = backupId) => scene.call<RestoreAnswer>('POST', `/v1/backups/history/${id}/restore`, body);
  const view = async (id: string): Promise<RestoreView> => (await scene.call<RestoreView>('GET', `/v1/restores/${id}`)).body;
  const begun = async (targetDatabase: string): Promise<{ id: string; command: SentCommand<RestorePayload> }> => {
    const { status, body } = await ask({ targetDatabase });
    expect(status).toBe(201);
    const command = await scene.command<RestorePayload>('restore:execute', `restore:${scene.databaseId}/${targetDatabase}`);
    return { id: body.restoreHistoryId, command };
  };
  const completed = (id: string, command: SentCommand<RestorePayload>, tables: readonly TableComparison[]) =>
    scene.agent.say('restore:completed', {
      ...scene.agent.report(command),
      restoreId: id,
      targetDatabase: command.payload.targetDatabase,
      tables,
      bytesRestored: 10,
      ...EMPTY_WORDS,
    });

  it('goes beside the live database under a name of its own, reads only its backup, and keeps the comparison', async () => {
    const { status, body } = await ask({});
    expect(status).toBe(201);
    expect(body).toMatchObject({ success: true, status: 'sent_to_agent', restoreHistoryId: expect.any(String) });
    const running = await view(body.restoreHistoryId);
    expect(running).toMatchObject({ status: 'running', connection: 'connected', backupId });
    expect(running.targetDatabase).toMatch(/^shop_restored_\d{14}$/);
    const resource = `restore:${scene.databaseId}/${running.targetDatabase}`;
    const command = await scene.command<RestorePayload>('restore:execute', resource);
    expect(command.payload).toMatchObject({ restoreId: body.restoreHistoryId, backup: { backupId }, links: [] });
    const { agent } = scene;
    const read = { ...agent.report(command), location: command.payload.backup, object: 'data-00001' };
    const opened = await agent.say<{ sizeBytes: number; request: { url: string } }>('download:open', read);
    const part = await fetch(opened.request.url, { headers: { range: 'bytes=0-39' } });
    expect([part.status, (await part.arrayBuffer()).byteLength]).toEqual([206, 40]);

    await agent.say('restore:started', { ...agent.report(command), at: '', clientTool: 'psql 15.20', serverVersion: '15.20' });
    const progress = { progress: 5, currentStep: 'rows', bytesRead: 1, bytesStored: 1, bytesPerSecond: 1, etaSeconds: 9 };
    await agent.say('restore:progress', { ...agent.report(command), ...progress });
    expect((await view(body.restoreHistoryId)).progress).toEqual(progress);
    const tables = [table(), table({ table: 'items' })];
    expect(await completed(body.restoreHistoryId, command, tables)).toEqual({ confirmed: true });
    expect(await completed(body.restoreHistoryId, command, [])).toEqual({ confirmed: true });
    expect(await view(body.restoreHistoryId)).toMatchObject({
      status: 'success',
      tablesTotal: 2,
      tablesEqual: 2,
      tables,
      progress: null,
    });
    expect(await refusalOf(agent.say('download:open', read))).toBe('FENCED');
    const history = (await scene.call<Page<BackupView>>('GET', '/v1/backups/history')).body.results[0];
    expect(history).toMatchObject({ lastRestoreStatus: 'success' });
  });

  it('is failed by the server when a table differs, whatever the agent calls it', async () => {
    const { id, command } = await begun('shop_differs');
    await completed(id, command, [table(), table({ table: 'items', restoredRows: 2 })]);
    expect(await view(id)).toMatchObject({
      status: 'failed',
      errorCode: 'RESTORE_DIGEST_MISMATCH',
      tablesTotal: 2,
      tablesEqual: 1,
    });
  });

  it('never goes into the live database, nor twice into one target', async () => {
    expect(await ask({ targetDatabase: 'shop' })).toMatchObject({ status: 409, body: { code: 'RESTORE_TARGET_LIVE' } });
    expect(await ask({ targetDatabase: 'ş'.repeat(40) })).toMatchObject({ status: 400, body: { code: 'VALIDATION' } });
    expect(await ask({ targetDatabase: 'a\nb' })).toMatchObject({ status: 400, body: { code: 'VALIDATION' } });
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask({ targetDatabase: 'shop_once' })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array.from({ length: 9 }, () => 409)]);
    expect((await scene.call('DELETE', `/v1/backups/history/${backupId}`)).body).toMatchObject({ code: 'ALREADY_RUNNING' });
    const other = await begun('shop_other');
    const cancelled = await scene.call<RestoreView>('POST', `/v1/restores/${other.id}/cancel`);
    expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    expect((await scene.call('POST', `/v1/restores/${other.id}/cancel`)).body).toMatchObject({ code: 'TOO_LATE' });
    expect(await refusalOf(completed(other.id, other.command, []))).toBe('FENCED');
    expect((await begun('shop_other')).command.fence).toBeGreaterThan(other.command.fence);
  });

  it('fails with the reason of the agent, and says so once', async () => {
    const { id, command } = await begun('shop_failing');
    const failure = {
      ...scene.agent.report(command),
      error: { code: 'RESTORE_TARGET_EXISTS', message: 'It exists.' },
      ...EMPTY_WORDS,
    };
    await scene.agent.say('restore:failed', failure);
    await scene.agent.say('restore:failed', { ...failure, error: { code: 'RESTORE_FAILED', message: 'Another.' } });
    expect(await view(id)).toMatchObject({ status: 'failed', errorCode: 'RESTORE_TARGET_EXISTS', errorMessage: 'It exists.' });
    const audited = await scene.sql(`SELECT action FROM audit_events WHERE target_id = $1 ORDER BY at, id`, [id]);
    expect(audited).toEqual([['restore.started'], ['restore.failed']]);
  });

  it('needs a successful backup and an agent that is there', async () => {
    const failed = await scene.started(await scene.job());
    await scene.agent.fail(failed.command, 'DB_PRIVILEGE');
    expect(await ask({}, failed.backupId)).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    await scene.sql('UPDATE agents SET session_id = NULL WHERE id = $1', [scene.agent.id]);
    const offline = await ask({});
    await scene.sql('UPDATE agents SET session_id = $2 WHERE id = $1', [scene.agent.id, `socket-${scene.agent.id}`]);
    expect(offline).toMatchObject({ status: 503, body: { code: 'AGENT_OFFLINE' } });
  });

  it('ends when its lease runs out, or at its time limit', async () => {
    const lost = await begun('shop_lost');
    await scene.sql(`UPDATE leases SET expires_at = now() - interval '1 second' WHERE operation_id = $1`, [lost.id]);
    const late = await begun('shop_late');
    await scene.sql(`UPDATE restores SET deadline_at = now() - interval '1 second' WHERE id = $1`, [late.id]);
    const ended = async (id: string) => (await view(id)).status === 'failed';
    await waitFor(async () => (await ended(lost.id)) && ended(late.id), { describe: 'both restores to end' });
    expect((await view(lost.id)).errorCode).toBe('LEASE_EXPIRED');
    expect((await view(late.id)).errorCode).toBe('TIME_LIMIT');
    const told = await scene.command<{ targetCommandId: string }>('restore:cancel', `restore:${scene.databaseId}/shop_late`);
    expect(told.payload.targetCommandId).toBe(late.command.id);
    expect(await refusalOf(completed(lost.id, lost.command, [table()]))).toBe('FENCED');
  });

  it('is given every link that its backup points into', async () => {
    const chainJob = await scene.job({ backupType: 'incremental' });
    const full = await scene.succeeded(chainJob);
    const second = await scene.succeeded(chainJob);
    const third = await scene.succeeded(chainJob);
    await ask({ targetDatabase: 'shop_chain' }, third.backupId);
    const command = await scene.command<RestorePayload>('restore:execute', `restore:${scene.databaseId}/shop_chain`);
    expect(command.payload.links.map((link) => link.backupId)).toEqual([full.backupId, second.backupId]);
    const read = { ...scene.agent.report(command), location: second.command.payload.location, object: 'index' };
    expect(await refusalOf(scene.agent.say('download:open', read))).toBe('none');
  });

  it('belongs to its workspace and its agent alone, and a viewer only looks', async () => {
    const { id, command } = await begun('shop_private');
    const other = await BackupScene.create(api);
    expect((await other.call('GET', `/v1/restores/${id}`)).status).toBe(404);
    expect((await other.call('POST', `/v1/restores/${id}/cancel`)).status).toBe(404);
    expect((await other.call<Page<RestoreView>>('GET', '/v1/restores')).body.totalResults).toBe(0);
    const failure = { ...scene.agent.report(command), error: { code: 'RESTORE_FAILED', message: 'x' }, ...EMPTY_WORDS };
    expect(await refusalOf(other.agent.say('restore:failed', failure))).toBe('NOT_FOUND');
    await scene.sql(`UPDATE memberships SET role = 'viewer' WHERE user_id = $1`, [scene.owner.userId]);
    const statuses = [
      (await scene.call('GET', `/v1/restores/${id}`)).status,
      (await scene.call('POST', `/v1/restores/${id}/cancel`)).status,
    ];
    await scene.sql(`UPDATE memberships SET role = 'owner' WHERE user_id = $1`, [scene.owner.userId]);
    expect(statuses).toEqual([200, 403]);
    expect((await scene.call<Page<RestoreView>>('GET', '/v1/restores?limit=2')).body.results).toHaveLength(2);
  });
});
