import { createHash } from 'node:crypto';
import type {
  BackupPayload,
  DeletePayload,
  ErrorBody,
  ExportAnswer,
  ExportPayload,
  ExportView,
  JobView,
  StorageTestAnswer,
  StorageView,
} from '@rahatback/contracts';
import { parseManifest, signAsAgent, verifyManifest } from '@rahatback/backup-core/manifest';
import { waitFor } from '@rahatback/testing';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import type { RunningApi } from '../../testing/start-api.js';
import { startApi } from '../../testing/start-api.js';
import { agentPathOf, StorageFactory } from '../storages/index.js';
import { BackupScene, DoorAgent, EMPTY_WORDS, refusalOf, type SentCommand } from './testing/backup-scene.js';
import { handMadeBackup, type HandMadeBackup } from './testing/hand-made-backup.js';

const PATH = '/mnt/yedek';
const LOOK_AGAIN_SECONDS = 2;

describe("backups on an agent's own disk", () => {
  let api: RunningApi;
  let scene: BackupScene;

  beforeAll(async () => {
    api = await startApi({ config: { watchdogIntervalMs: 200, uploadUrlSeconds: LOOK_AGAIN_SECONDS } });
    scene = await BackupScene.create(api);
  }, 60_000);
  afterAll(() => api.stop());

  const makeJob = async (fields: object = {}) => {
    const dto = { databaseId: scene.databaseId, name: 'On the disk', compression: 'none', storagePath: PATH, ...fields };
    return scene.call<JobView & ErrorBody>('POST', '/v1/backups/jobs', dto);
  };
  const job = async (fields: object = {}): Promise<string> => (await makeJob(fields)).body.id;

  async function prepared(fields: object = {}) {
    const jobId = await job(fields);
    const run = await scene.started(jobId);
    const made = await handMadeBackup(run.command.payload, scene.agent, 1000);
    await scene.agent.publish(run.command, 'keys-1.json', made.keys.toString('base64'));
    return { ...run, jobId, made };
  }

  const complete = (command: SentCommand<BackupPayload>, manifestSha256: string) =>
    scene.agent.say('backup:completed', {
      ...scene.agent.report(command),
      backupId: command.payload.location.backupId,
      manifestSha256,
      ...EMPTY_WORDS,
    });

  async function succeeded(fields: object = {}) {
    const run = await prepared(fields);
    const { sha256 } = await scene.agent.publishManifest(run.command, run.made);
    await complete(run.command, sha256);
    return { ...run, sha256 };
  }

  const deletions = async (backupId: string): Promise<SentCommand<DeletePayload>[]> => {
    const rows = await scene.sql(
      `SELECT id, fence::int, payload, state FROM commands WHERE type = 'backup:delete' AND payload -> 'location' ->> 'backupId' = $1
       ORDER BY sequence`,
      [backupId],
    );
    return rows.map(([id, fence, payload, state]) => ({ id, fence, payload, state }) as SentCommand<DeletePayload>);
  };
  const deletion = (backupId: string, nth = 1) =>
    waitFor(async () => (await deletions(backupId))[nth - 1], { describe: `deletion ${nth} of ${backupId}`, timeoutMs: 15_000 });

  it('belong to jobs with a storagePath, whose storage the server makes once and never opens', async () => {
    const first = await makeJob();
    const second = await makeJob({ storagePath: `${PATH}//` });
    expect(first).toMatchObject({ status: 201, body: { storageType: 'local', storagePath: PATH } });
    expect(second.body.cloudStorageId).toBe(first.body.cloudStorageId);
    const storage = await scene.call<StorageView>('GET', `/v1/storages/${first.body.cloudStorageId}`);
    expect(storage.body).toMatchObject({ place: 'agent', agentId: scene.agent.id, path: PATH, isDefault: false });
    const test = await scene.call<StorageTestAnswer>('POST', `/v1/storages/${storage.body.id}/test`);
    expect(test.body).toMatchObject({ success: true, checks: [{ name: 'agent online', ok: true }] });
    expect((await scene.call<ErrorBody>('DELETE', `/v1/storages/${storage.body.id}`)).body.code).toBe('STORAGE_IN_USE');
    const opening = api.database.inWorkspace(scene.owner.workspaceId, (tx) =>
      api.app.get(StorageFactory).open(tx, scene.owner.workspaceId, storage.body.id),
    );
    expect(await refusalOf(opening)).toBe('CONFLICT');
    const withDefault = await makeJob({ storagePath: undefined });
    expect(withDefault.body).toMatchObject({ storageType: 'local', storagePath: null, cloudStorageId: scene.storageId });
    const byId = await makeJob({ storagePath: undefined, cloudStorageId: storage.body.id });
    expect(byId.body.storagePath).toBe(PATH);
  });

  it('can have their storage made by itself, for an agent of the workspace only', async () => {
    const create = (fields: object) =>
      scene.call<StorageView & ErrorBody>('POST', '/v1/storages', { storageType: 'local', name: 'Disk', ...fields });
    const made = await create({ agentId: scene.agent.id, path: 'shop' });
    expect(made).toMatchObject({ status: 201, body: { place: 'agent', path: 'shop', agentId: scene.agent.id } });
    expect((await create({ agentId: scene.agent.id })).body.code).toBe('VALIDATION');
    expect((await create({ agentId: scene.agent.id, path: 'x', isDefault: true })).body.code).toBe('VALIDATION');
    expect((await create({ agentId: scene.databaseId, path: 'x' })).status).toBe(404);
    expect((await scene.call<ErrorBody>('PATCH', `/v1/storages/${made.body.id}`, { isDefault: true })).status).toBe(400);
    for (const path of ['../x', 'a/../../b', '/', ' x', 'a\u0001b', 'x'.repeat(501), '']) {
      expect([path, (await create({ agentId: scene.agent.id, path })).status]).toEqual([path, 400]);
      expect([path, (await makeJob({ storagePath: path })).status]).toEqual([path, 400]);
    }
    const other = new DoorAgent(api, scene.owner.workspaceId);
    await scene.insertAgent(other);
    const theirs = await create({ agentId: other.id, path: 'shop' });
    const refused = await makeJob({ storagePath: undefined, cloudStorageId: theirs.body.id });
    expect(refused).toMatchObject({ status: 400, body: { code: 'VALIDATION' } });
    expect((await scene.call('DELETE', `/v1/storages/${theirs.body.id}`)).status).toBe(204);
  });

  it('are counter-signed first and a success only when the agent says that the manifest stands', async () => {
    const { backupId, command, made } = await prepared();
    expect(command.payload.agentPath).toBe(PATH);
    const answer = await scene.agent.publishManifest(command, made);
    const bytes = Buffer.from(answer.content ?? '', 'base64');
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(answer.sha256);
    const serverPublicKey = api.app.get(ServerKeys).manifestKey.publicKeyBase64;
    const trusted = { agentPublicKey: scene.agent.signing.publicKey, serverPublicKey };
    expect(() => verifyManifest(parseManifest(bytes), trusted)).not.toThrow();
    expect(await scene.detail(backupId)).toMatchObject({ status: 'running', sizeBytes: null });
    expect(await scene.agent.publishManifest(command, made)).toEqual(answer);
    const other = { manifest: signAsAgent({ ...made.body, writer: 'another' }, scene.agent.signPrivateKey) };
    expect(await refusalOf(scene.agent.publishManifest(command, other))).toBe('OBJECT_EXISTS');
    expect(await refusalOf(complete(command, 'a'.repeat(64)))).toBe('CONFLICT');
    expect((await scene.detail(backupId)).status).toBe('running');

    await complete(command, answer.sha256);
    await complete(command, answer.sha256);
    const stored = [...made.objects.values(), made.keys, bytes].reduce((sum, { length }) => sum + length, 0);
    expect(await scene.detail(backupId)).toMatchObject({
      status: 'success',
      sizeBytes: 1000,
      storedBytes: stored,
      deletingAt: null,
    });
    expect(await scene.agent.publishManifest(command, made)).toEqual(answer);
    const audits = await scene.sql(`SELECT 1 FROM audit_events WHERE action = 'backup.succeeded' AND target_id = $1`, [backupId]);
    expect(audits).toHaveLength(1);
  });

  it('take no upload, no manifest without keys, and none that another key signed', async () => {
    const jobId = await job();
    const { command, backupId } = await scene.started(jobId);
    const made = await handMadeBackup(command.payload, scene.agent, 1000);
    expect(await refusalOf(scene.agent.say('upload:begin', { ...scene.agent.report(command), object: 'data-00001' }))).toBe(
      'CONFLICT',
    );
    expect(await refusalOf(scene.agent.publishManifest(command, made))).toBe('MANIFEST_INVALID');
    await scene.agent.publish(command, 'keys-1.json', made.keys.toString('base64'));
    const forged = { manifest: signAsAgent(made.body, new DoorAgent(api, scene.owner.workspaceId).signPrivateKey) };
    expect(await refusalOf(scene.agent.publishManifest(command, forged))).toBe('MANIFEST_INVALID');
    expect(await refusalOf(complete(command, 'a'.repeat(64)))).toBe('CONFLICT');
    expect((await scene.detail(backupId)).status).toBe('running');
    await scene.cancel(backupId);
  });

  it('that were cancelled after the manifest was accepted stay cancelled, and the agent is told to remove what it wrote', async () => {
    const { backupId, command, made } = await prepared();
    const { sha256 } = await scene.agent.publishManifest(command, made);
    await scene.cancel(backupId);
    expect(await refusalOf(complete(command, sha256))).toBe('FENCED');
    expect(await refusalOf(scene.agent.publishManifest(command, made))).toBe('FENCED');
    const first = await deletion(backupId);
    expect(first.payload).toEqual({ location: command.payload.location, agentPath: PATH });
    await scene.agent.say('backup:delete:result', scene.agent.report(first));
    await scene.agent.say('backup:delete:result', scene.agent.report(first));
    await scene.untilClean(backupId);
    // A second order after the look-again time: the first may have come while the agent was still writing.
    const second = await deletion(backupId, 2);
    expect(second.fence).toBe(first.fence + 1);
    await scene.agent.say('backup:delete:result', scene.agent.report(second));
    await waitFor(async () => (await deletions(backupId)).every(({ state }) => state === 'succeeded'), {
      describe: 'both to end',
    });
    await scene.untilClean(backupId);
    expect(await deletions(backupId)).toHaveLength(2);
    expect(await scene.detail(backupId)).toMatchObject({ status: 'cancelled', sizeBytes: null });
  });

  it('that came to nothing are not asked after for ever when the agent will not remove what it may have written', async () => {
    const { backupId, command } = await scene.started(await job());
    await scene.agent.fail(command, 'AGENT_POLICY_REFUSED');
    const { id } = await deletion(backupId);
    await scene.sql('UPDATE commands SET fence = 30 WHERE id = $1', [id]);
    const error = { code: 'AGENT_POLICY_REFUSED', message: 'The folder is not allowed.' };
    await scene.agent.say('backup:delete:result', { commandId: id, fence: 30, error });
    await scene.untilClean(backupId, 4_000);
    expect(await deletions(backupId)).toHaveLength(1);
  });

  it('begin again with another attempt after a failure of the world, with nothing kept of the first manifest', async () => {
    const { backupId, jobId, command, made } = await prepared();
    await scene.agent.publishManifest(command, made);
    await scene.agent.fail(command, 'AGENT_RESTARTED');
    const again = await scene.command('job:execute', `backup:${jobId}`);
    expect(again.payload).toMatchObject({ attempt: 2, agentPath: PATH });
    const remade = await handMadeBackup(again.payload, scene.agent, 2000);
    await scene.agent.publish(again, 'keys-1.json', remade.keys.toString('base64'));
    const { sha256 } = await scene.agent.publishManifest(again, remade);
    await complete(again, sha256);
    expect(await scene.detail(backupId)).toMatchObject({ status: 'success', sizeBytes: 2000 });
    expect((await deletion(backupId)).payload.location.fence).toBe(command.fence);
  });

  it('build chains, and begin a new one where the destination has changed', async () => {
    const full = await succeeded({ backupType: 'incremental' });
    const next = await scene.started(full.jobId);
    expect(next.command.payload).toMatchObject({ agentPath: PATH, base: [full.command.payload.location] });
    await scene.cancel(next.backupId);
    const { body: elsewhere } = await scene.call<StorageView>('POST', '/v1/storages', {
      storageType: 'local',
      name: 'Else',
      agentId: scene.agent.id,
      path: '/mnt/else',
    });
    const moved = await scene.call<JobView>('PATCH', `/v1/backups/jobs/${full.jobId}`, { cloudStorageId: elsewhere.id });
    expect(moved.body.storagePath).toBe('/mnt/else');
    const after = await scene.started(full.jobId);
    expect(after.command.payload).toMatchObject({ agentPath: '/mnt/else', base: [], location: { backupType: 'full' } });
    await scene.cancel(after.backupId);
  });

  it('follow the database to another agent, and are read by the agent alone that holds them', async () => {
    const { jobId, backupId } = await succeeded();
    const other = new DoorAgent(api, scene.owner.workspaceId);
    await scene.insertAgent(other);
    const [[storageId]] = (await scene.sql('SELECT storage_id FROM backups WHERE id = $1', [backupId])) as [[string]];
    const pathFor = (agentId: string) =>
      api.database.inWorkspace(scene.owner.workspaceId, (tx) => agentPathOf(tx, storageId, agentId));
    expect(await pathFor(scene.agent.id)).toBe(PATH);
    expect(await refusalOf(pathFor(other.id))).toBe('CONFLICT');
    await scene.sql('UPDATE databases SET agent_id = $2 WHERE id = $1', [scene.databaseId, other.id]);
    try {
      const { backupId: next } = await scene.started(jobId);
      const [row] = await scene.sql(
        `SELECT s.settings ->> 'agentId', s.settings ->> 'path' FROM backups b JOIN storages s ON s.id = b.storage_id WHERE b.id = $1`,
        [next],
      );
      expect(row).toEqual([other.id, PATH]);
      await scene.cancel(next);
    } finally {
      await scene.sql('UPDATE databases SET agent_id = $2 WHERE id = $1', [scene.databaseId, scene.agent.id]);
    }
  });

  it('are deleted by the agent: again after a refusal, and gone only when it says so', async () => {
    const { backupId, command } = await succeeded();
    expect((await scene.call('DELETE', `/v1/backups/history/${backupId}`)).status).toBe(202);
    const first = await deletion(backupId);
    expect(first.payload).toEqual({ location: command.payload.location, agentPath: PATH });
    expect((await scene.detail(backupId)).deletingAt).toEqual(expect.any(String));
    const refusal = { code: 'STORAGE_PERMANENT', message: 'The disk is read-only.' };
    await scene.agent.say('backup:delete:result', { ...scene.agent.report(first), error: refusal });
    const second = await deletion(backupId, 2);
    expect(second.fence).toBe(first.fence + 1);
    expect((await scene.detail(backupId)).deletionError).toEqual(refusal);
    await scene.agent.say('backup:delete:result', scene.agent.report(second));
    await waitFor(async () => (await scene.call('GET', `/v1/backups/history/${backupId}`)).status === 404, {
      describe: 'the backup to be gone',
    });
    expect(await deletions(backupId)).toHaveLength(2);
  }, 30_000);

  it('are gone at once when the agent was revoked: nobody will hear from it', async () => {
    const { backupId } = await succeeded();
    await scene.sql(`UPDATE agents SET state = 'revoked' WHERE id = $1`, [scene.agent.id]);
    try {
      await scene.call('DELETE', `/v1/backups/history/${backupId}`);
      await waitFor(async () => (await scene.call('GET', `/v1/backups/history/${backupId}`)).status === 404, {
        describe: 'the backup to be gone',
      });
      expect(await deletions(backupId)).toEqual([]);
    } finally {
      await scene.sql(`UPDATE agents SET state = 'active' WHERE id = $1`, [scene.agent.id]);
    }
  });

  it('are exported by order, like any backup, one at a time, and kept until that has ended', async () => {
    const { backupId, command } = await succeeded();
    const start = () => scene.call<ExportAnswer & ErrorBody>('POST', `/v1/backups/history/${backupId}/export`);
    const started = await start();
    expect(started).toMatchObject({ status: 202, body: { success: true, status: 'sent_to_agent' } });
    const order = await scene.command<ExportPayload>('backup:export', `export:${backupId}`);
    expect(order.payload).toMatchObject({ backup: command.payload.location, links: [], agentPath: PATH, keyRef: null });
    expect(order.payload.fileName).toMatch(/^shop-\d{8}T\d{6}Z-[0-9a-f]{12}\.sql$/);
    expect(await start()).toMatchObject({ status: 409, body: { code: 'ALREADY_RUNNING' } });
    expect((await scene.call<ErrorBody>('DELETE', `/v1/backups/history/${backupId}`)).body.code).toBe('ALREADY_RUNNING');
    const view = async () => (await scene.call<ExportView>('GET', `/v1/backups/exports/${started.body.commandId}`)).body;
    expect(await view()).toMatchObject({ backupId, path: null, endedAt: null });
    const result = { path: '/home/exports/shop.sql', sizeBytes: 1000, sha256: 'b'.repeat(64) };
    await scene.agent.say('backup:export:result', { ...scene.agent.report(order), ...result });
    expect(await view()).toMatchObject({ ...result, state: 'succeeded', errorCode: null, endedAt: expect.any(String) });

    const next = await start();
    const failing = await scene.command<ExportPayload>('backup:export', `export:${backupId}`);
    expect(failing.fence).toBe(order.fence + 1);
    const error = { code: 'NO_SPACE', message: 'The disk is full.' };
    await scene.agent.say('backup:export:result', { ...scene.agent.report(failing), error });
    const failed = await scene.call<ExportView>('GET', `/v1/backups/exports/${next.body.commandId}`);
    expect(failed.body).toMatchObject({ state: 'failed', errorCode: 'NO_SPACE', path: null });
    const stranger = await api.register();
    const foreign = await api.call('GET', `/v1/backups/exports/${next.body.commandId}`, { token: stranger.accessToken });
    expect(foreign.status).toBe(404);
    const audits = await scene.sql(`SELECT 1 FROM audit_events WHERE action = 'backup.export_requested' AND target_id = $1`, [
      backupId,
    ]);
    expect(audits).toHaveLength(2);
  });

  it('cannot be exported while their agent is away, nor before they are a success', async () => {
    const done: { backupId: string; made: HandMadeBackup } = await succeeded();
    const running = await prepared();
    const exporting = (backupId: string) => scene.call<ErrorBody>('POST', `/v1/backups/history/${backupId}/export`);
    expect(await exporting(running.backupId)).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    await scene.sql('UPDATE agents SET session_id = NULL WHERE id = $1', [scene.agent.id]);
    expect(await exporting(done.backupId)).toMatchObject({ status: 503, body: { code: 'AGENT_OFFLINE' } });
  });
});
