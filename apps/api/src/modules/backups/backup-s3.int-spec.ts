import { startRgw, type PrivateS3 } from '@rahatback/testing';
import type { RunningApi } from '../../testing/start-api.js';
import { startApi } from '../../testing/start-api.js';
import { BackupScene, refusalOf } from './testing/backup-scene.js';

describe('a backup into an S3 store', () => {
  let s3: PrivateS3;
  let api: RunningApi;
  let scene: BackupScene;

  beforeAll(async () => {
    s3 = await startRgw();
    api = await startApi({ config: { watchdogIntervalMs: 200 } });
    scene = await BackupScene.create(api);
    const storage = await scene.call<{ id: string }>('POST', '/v1/storages', {
      storageType: 's3',
      name: 'Bucket',
      s3Endpoint: s3.endpoint,
      s3Region: s3.region,
      s3Bucket: await s3.createBucket(),
      s3Prefix: 'rahatback',
      s3AccessKeyId: s3.accessKeyId,
      s3SecretAccessKey: s3.secretAccessKey,
      s3ForcePathStyle: true,
    });
    if (storage.status !== 201) throw new Error(`The storage was answered with ${JSON.stringify(storage)}`);
    scene.storageId = storage.body.id;
  }, 120_000);
  afterAll(async () => {
    await api?.stop();
    await s3?.stop();
  });

  it('is stored whole, restorable and deletable', async () => {
    const { backupId, command } = await scene.succeeded(await scene.job(), 17 * 1024 * 1024);
    expect(await scene.stored(backupId)).toEqual(
      ['data-00001', 'index', 'keys-1.json', 'manifest.json'].map((name) => `${command.fence}/${name}`),
    );
    expect((await scene.call('DELETE', `/v1/backups/history/${backupId}`)).status).toBe(202);
    await scene.untilEmpty(backupId);
  }, 60_000);

  it.each([100_000, 9 * 1024 * 1024])(
    'leaves nothing when it is cancelled with %d bytes on their way',
    async (sizeBytes) => {
      const { backupId, command } = await scene.started(await scene.job());
      const { agent } = scene;
      await agent.upload(command, 'data-00001', Buffer.alloc(sizeBytes, 1));
      const sent = await agent.send(command, 'data-00002', Buffer.alloc(sizeBytes, 2));
      expect((await scene.stored(backupId)).sort()).toEqual([
        `${command.fence}/data-00001`,
        `${command.fence}/data-00002 (open)`,
      ]);
      expect((await scene.cancel(backupId)).status).toBe(200);
      await scene.untilClean(backupId);
      expect(await scene.stored(backupId)).toEqual([]);
      expect(await refusalOf(agent.say('upload:complete', { ...agent.report(command), ...sent }))).toBe('FENCED');
    },
    60_000,
  );

  it.each([100_000, 9 * 1024 * 1024])(
    'leaves nothing when %d bytes are being completed meanwhile',
    async (sizeBytes) => {
      for (let round = 0; round < 3; round += 1) {
        const { backupId, command } = await scene.started(await scene.job());
        const sent = await scene.agent.send(command, 'data-00001', Buffer.alloc(sizeBytes, round));
        const completing = refusalOf(scene.agent.say('upload:complete', { ...scene.agent.report(command), ...sent }));
        expect((await scene.cancel(backupId)).status).toBe(200);
        expect(['none', 'FENCED']).toContain(await completing);
        await scene.untilClean(backupId);
        expect(await scene.stored(backupId)).toEqual([]);
      }
    },
    60_000,
  );

  it('takes no part that arrives after its upload was aborted', async () => {
    const { backupId, command } = await scene.started(await scene.job());
    const { agent } = scene;
    const sent = await agent.send(command, 'data-00001', Buffer.alloc(1000, 5));
    const late = await agent.say<{ url: string; headers: Record<string, string> }>('upload:part', {
      ...agent.report(command),
      object: 'data-00001',
      ...sent.parts[0],
    });
    await scene.cancel(backupId);
    await scene.untilClean(backupId);
    const put = await fetch(late.url, { method: 'PUT', headers: late.headers, body: new Uint8Array(1000).fill(5) });
    expect(put.status).toBe(404);
    expect(await scene.stored(backupId)).toEqual([]);
  }, 60_000);

  it('has one manifest when two publishers race', async () => {
    const { backupId, command } = await scene.started(await scene.job());
    const made = await scene.agent.uploadAll(command, 1000);
    const answers = await Promise.all([1, 2, 3].map(() => refusalOf(scene.agent.publishManifest(command, made))));
    expect(answers).toEqual(['none', 'none', 'none']);
    expect((await scene.detail(backupId)).status).toBe('success');
  });
});
