import { randomUUID } from 'node:crypto';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { parseManifest, serializeManifest, signAsAgent, type Manifest } from '@rahatback/backup-core/manifest';
import type { BackupView, DatabaseView, DownloadOpenAnswer, ImportAnswer, Page, TrustAnswer } from '@rahatback/contracts';
import { generateSigningKeyPair } from '@rahatback/crypto';
import { startRgw, waitFor, type PrivateS3 } from '@rahatback/testing';
import { startApi, type RunningApi } from '../../testing/start-api.js';
import { chainLocked, locationOf } from '../backups/index.js';
import { BackupScene } from '../backups/testing/backup-scene.js';
import { s3Storage, storedScene, type StorageKind, type StoredScene } from '../backups/testing/stored-scene.js';

type Told = Pick<ImportAnswer, 'imported' | 'alreadyKnown' | 'manifestsFound'>;

describe('history out of the manifests in a storage', () => {
  let s3: PrivateS3;
  /** The server that is lost, and the new one that knows nothing of it. */
  let old: RunningApi;
  let fresh: RunningApi;

  beforeAll(async () => {
    s3 = await startRgw();
    old = await startApi({ config: { watchdogIntervalMs: 200 } });
    fresh = await startApi({ config: { watchdogIntervalMs: 200 } });
  }, 120_000);
  afterAll(async () => {
    await fresh?.stop();
    await old?.stop();
    await s3?.stop();
  });

  /** A full with two incrementals, and another full. */
  async function filled(stored: StoredScene) {
    const { scene } = stored;
    const chain = await scene.job({ backupType: 'incremental' });
    const runs: Awaited<ReturnType<BackupScene['succeeded']>>[] = [];
    for (const jobId of [chain, chain, chain, await scene.job()]) runs.push(await scene.succeeded(jobId, 50_000));
    const trust = (await scene.call<TrustAnswer>('GET', '/v1/workspace/trust')).body;
    const kit = {
      agents: trust.agents.map(({ agentId, signPublicKey }) => ({ agentId, signPublicKey })),
      serverPublicKey: trust.serverPublicKey,
    };
    const key = (run: number, object: string): string => {
      return `${scene.owner.workspaceId}/${scene.databaseId}/${runs[run]?.backupId ?? ''}/${runs[run]?.command.fence ?? 0}/${object}`;
    };
    return { ids: runs.map(({ backupId }) => backupId), kit, key };
  }

  /** A workspace of the new server whose storage is where the old backups lie. */
  async function moved({ scene: from, place }: StoredScene): Promise<BackupScene> {
    const scene = await BackupScene.create(fresh);
    if (place !== undefined) {
      scene.storageId = (await scene.call<{ id: string }>('POST', '/v1/storages', s3Storage(place))).body.id;
      return scene;
    }
    const folder = (api: RunningApi, workspaceId: string): string => join(api.config.storageRoot, workspaceId, 'default');
    await cp(folder(old, from.owner.workspaceId), folder(fresh, scene.owner.workspaceId), { recursive: true });
    return scene;
  }

  async function importing(scene: BackupScene, body: object): Promise<ImportAnswer> {
    const answer = await scene.call<ImportAnswer>('POST', `/v1/storages/${scene.storageId}/import`, body);
    if (answer.status !== 200) throw new Error(`import was answered with ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  const counts = ({ imported, alreadyKnown, manifestsFound }: ImportAnswer): Told => ({ imported, alreadyKnown, manifestsFound });
  const refusals = ({ refused }: ImportAnswer): string[] => refused.map(({ key, code }) => `${code} ${key}`).sort();

  describe.each<StorageKind>(['local', 's3'])('on %s', (kind) => {
    it('comes back as it was, once, and can be read and deleted where it lies', async () => {
      const stored = await storedScene(old, kind, s3);
      const { ids, kit } = await filled(stored);
      const scene = await moved(stored);
      expect(counts(await importing(scene, { ...kit, dryRun: true }))).toEqual({
        imported: 4,
        alreadyKnown: 0,
        manifestsFound: 4,
      });
      expect((await scene.call<Page<BackupView>>('GET', '/v1/backups/history')).body.totalResults).toBe(0);

      const answer = await importing(scene, kit);
      expect(counts(answer)).toEqual({ imported: 4, alreadyKnown: 0, manifestsFound: 4 });
      expect(answer.refused).toEqual([]);
      const { databaseId } = stored.scene;
      const database = { databaseId, name: `Imported ${databaseId.slice(0, 8)}`, backups: 4, newest: '2026-01-01T00:00:01.000Z' };
      expect(answer.databases).toEqual([database]);
      expect(counts(await importing(scene, kit))).toEqual({ imported: 0, alreadyKnown: 4, manifestsFound: 4 });

      const history = (await scene.call<Page<BackupView>>('GET', '/v1/backups/history?limit=50')).body.results;
      const before = (await stored.scene.call<Page<BackupView>>('GET', '/v1/backups/history?limit=50')).body.results;
      const content = (views: readonly BackupView[]) =>
        views
          .map(({ id, status, backupType, compression, chainId, baseBackupId, sizeBytes, storedBytes }) =>
            JSON.stringify({ id, status, backupType, compression, chainId, baseBackupId, sizeBytes, storedBytes }),
          )
          .sort();
      expect(content(history)).toEqual(content(before));
      const positions = async (api: RunningApi) =>
        api.postgres.query('SELECT id, chain_position, manifest_sha256 FROM backups WHERE id = ANY($1) ORDER BY id', [ids]);
      expect(await positions(fresh)).toEqual(await positions(old));
      expect(await scene.sql('SELECT state, device_name FROM agents WHERE id = $1', [stored.scene.agent.id])).toEqual([
        ['revoked', `imported ${stored.scene.agent.id.slice(0, 8)}`],
      ]);
      expect((await scene.call<DatabaseView>('GET', `/v1/databases/${databaseId}`)).body.name).toBe(database.name);
      const clean = await scene.call('POST', `/v1/storages/${scene.storageId}/reconcile`, { deep: true });
      expect(clean.body).toMatchObject({ missing: 0, orphaned: 0, altered: 0, backupsChecked: 4, objectsChecked: 16 });

      expect(await readByCommand(scene, ids[2] ?? '')).toEqual([206, 206, 206]);
      expect((await scene.call('DELETE', `/v1/backups/history/${ids[0]}`)).body).toMatchObject({ code: 'CHAIN_IN_USE' });
      const backend = await scene.backend();
      for (const id of [...ids].reverse()) {
        expect((await scene.call('DELETE', `/v1/backups/history/${id}`)).status).toBe(202);
        const gone = async () => (await scene.call('GET', `/v1/backups/history/${id}`)).status === 404;
        await waitFor(gone, { describe: `backup ${id} to be deleted` });
      }
      const left = [];
      for await (const { key } of backend.list('')) left.push(key);
      expect(left).toEqual([]);
      expect(counts(await importing(scene, kit))).toEqual({ imported: 0, alreadyKnown: 0, manifestsFound: 0 });
    }, 180_000);
  });

  /** Reads 40 bytes of a backup and of each link as an agent with a restore command does. @returns the statuses */
  async function readByCommand(scene: BackupScene, backupId: string): Promise<number[]> {
    const { workspaceId } = scene.owner;
    const { backup, links } = await fresh.database.inWorkspace(workspaceId, (tx) => chainLocked(tx, workspaceId, backupId));
    const all = [locationOf(backup), ...links];
    const id = randomUUID();
    await scene.sql(
      `INSERT INTO commands (id, workspace_id, agent_id, sequence, type, resource, fence, state, payload, expires_at)
       VALUES ($1, $2, $3, 1, 'restore:execute', 'restore:x/y', 1, 'running', $4, now() + interval '1 hour')`,
      [id, workspaceId, scene.agent.id, JSON.stringify({ backup: locationOf(backup), links })],
    );
    const statuses = [];
    for (const location of all) {
      const wanted = { commandId: id, fence: 1, location, object: 'data-00001' };
      const { request } = await scene.agent.say<DownloadOpenAnswer>('download:open', wanted);
      const part = await fetch(request.url, { headers: { ...request.headers, range: 'bytes=0-39' } });
      await part.arrayBuffer();
      statuses.push(part.status);
    }
    await scene.sql(`UPDATE commands SET state = 'succeeded' WHERE id = $1`, [id]);
    return statuses;
  }

  it('believes nothing that was forged, replayed, exchanged, changed or signed by somebody else', async () => {
    const stored = await storedScene(old, 's3', s3);
    const { intruder, scene: from } = stored;
    const { ids, kit, key } = await filled(stored);
    const genuine = await intruder.read(key(3, 'manifest.json'));
    const manifest = parseManifest(genuine);
    const { signatures: _signatures, ...body } = manifest;
    const attacker = generateSigningKeyPair();
    const at = (backupId: string, fence = 1): string => `${from.owner.workspaceId}/${from.databaseId}/${backupId}/${fence}/`;
    const copied = async (prefix: string, bytes: Buffer): Promise<string> => {
      for (const name of ['data-00001', 'index', 'keys-1.json'])
        await intruder.write(prefix + name, await intruder.read(key(3, name)));
      await intruder.write(`${prefix}manifest.json`, bytes);
      return `${prefix}manifest.json`;
    };
    const signed = (change: Partial<Manifest>): Buffer =>
      serializeManifest(signAsAgent({ ...body, ...change }, attacker.privateKey));
    const refused: string[] = [];
    const forgedId = randomUUID();
    refused.push(await copied(at(forgedId), signed({ backupId: forgedId, fence: 1 })));
    const strangerId = randomUUID();
    refused.push(await copied(at(strangerId), signed({ backupId: strangerId, fence: 1, agentId: randomUUID() })));
    refused.push(await copied(at(randomUUID(), manifest.fence), genuine));
    refused.push(await copied(at(ids[3] ?? '', manifest.fence + 7), genuine));
    const changedId = randomUUID();
    refused.push(await copied(at(changedId, manifest.fence), serializeManifest({ ...manifest, backupId: changedId })));
    const [first, second] = [await intruder.read(key(1, 'manifest.json')), await intruder.read(key(2, 'manifest.json'))];
    await intruder.write(key(1, 'manifest.json'), second);
    await intruder.write(key(2, 'manifest.json'), first);
    refused.push(key(1, 'manifest.json'), key(2, 'manifest.json'));
    await intruder.write(key(3, 'manifest.json'), Buffer.from(JSON.stringify(JSON.parse(genuine.toString()), null, 1)));
    refused.push(key(3, 'manifest.json'));
    const scene = await moved(stored);
    const answer = await importing(scene, kit);
    expect(refusals(answer)).toEqual(refused.map((path) => `MANIFEST_INVALID ${path}`).sort());
    expect(counts(answer)).toEqual({ imported: 1, alreadyKnown: 0, manifestsFound: 9 });

    for (const [path, bytes] of [
      [key(1, 'manifest.json'), first],
      [key(2, 'manifest.json'), second],
      [key(3, 'manifest.json'), genuine],
    ] as const)
      await intruder.write(path, bytes);
    expect(counts(await importing(scene, kit))).toEqual({ imported: 3, alreadyKnown: 1, manifestsFound: 9 });
    const [count] = await scene.sql('SELECT count(*)::int FROM backups WHERE workspace_id = $1', [scene.owner.workspaceId]);
    expect(count).toEqual([4]);
    process.stdout.write(
      `import: ${refused.length} of ${refused.length} forged or misplaced manifests refused, 4 of 4 genuine ones taken\n`,
    );
  }, 120_000);

  it('takes the keys from the person alone: without them, or with another server key, nothing is imported', async () => {
    const stored = await storedScene(old, 's3', s3);
    const { kit } = await filled(stored);
    const scene = await moved(stored);
    const other = generateSigningKeyPair().publicKey;
    const agents = kit.agents.map(({ agentId }) => ({ agentId, signPublicKey: other }));
    for (const body of [
      { agents: [{ agentId: randomUUID(), signPublicKey: other }] },
      { agents },
      { ...kit, serverPublicKey: other },
    ]) {
      const answer = await importing(scene, body);
      expect(counts(answer)).toEqual({ imported: 0, alreadyKnown: 0, manifestsFound: 4 });
      expect(answer.refused.map(({ code }) => code)).toEqual(Array.from({ length: 4 }, () => 'MANIFEST_INVALID'));
    }
    const call = (body: object) => scene.call<{ code: string }>('POST', `/v1/storages/${scene.storageId}/import`, body);
    expect((await call({ agents: [] })).body.code).toBe('VALIDATION');
    expect((await call({ agents: [{ agentId: 'x', signPublicKey: 'y' }] })).body.code).toBe('VALIDATION');
    for (const role of ['admin', 'operator', 'viewer']) {
      await scene.sql('UPDATE memberships SET role = $2 WHERE user_id = $1', [scene.owner.userId, role]);
      expect((await call(kit)).status).toBe(403);
    }
    await scene.sql(`UPDATE memberships SET role = 'owner' WHERE user_id = $1`, [scene.owner.userId]);
    expect(counts(await importing(scene, { agents: kit.agents }))).toEqual({ imported: 4, alreadyKnown: 0, manifestsFound: 4 });
  }, 120_000);

  it('leaves out what is not whole, and what is built on it, and says why', async () => {
    const stored = await storedScene(old, 's3', s3);
    const { intruder } = stored;
    const { kit, key } = await filled(stored);
    const link = await intruder.read(key(1, 'manifest.json'));
    await intruder.remove(key(1, 'manifest.json'));
    const volume = await intruder.read(key(3, 'data-00001'));
    await intruder.cut(key(3, 'data-00001'), 10);
    const scene = await moved(stored);
    const answer = await importing(scene, kit);
    expect(counts(answer)).toEqual({ imported: 1, alreadyKnown: 0, manifestsFound: 3 });
    expect(refusals(answer)).toEqual(
      [`DATA_CORRUPT ${key(3, 'manifest.json')}`, `OBJECT_MISSING ${key(2, 'manifest.json')}`].sort(),
    );
    await intruder.write(key(1, 'manifest.json'), link);
    await intruder.write(key(3, 'data-00001'), volume);
    const keys = await intruder.read(key(3, 'keys-1.json'));
    await intruder.write(key(3, 'keys-1.json'), await intruder.read(key(0, 'keys-1.json')));
    await intruder.write('elsewhere/manifest.json', link);
    const second = await importing(scene, kit);
    expect(counts(second)).toEqual({ imported: 2, alreadyKnown: 1, manifestsFound: 5 });
    expect(refusals(second)).toEqual([`KEYS_INVALID ${key(3, 'manifest.json')}`, 'VALIDATION elsewhere/manifest.json'].sort());
    await intruder.write(key(3, 'keys-1.json'), keys);
    expect(counts(await importing(scene, kit))).toMatchObject({ imported: 1, alreadyKnown: 3 });
  }, 120_000);

  it('goes to one workspace of a server, in any number of requests at once', async () => {
    const stored = await storedScene(old, 's3', s3);
    const { kit } = await filled(stored);
    const scene = await moved(stored);
    const answers = await Promise.all([1, 2, 3].map(() => importing(scene, kit)));
    expect(answers.map(({ imported, alreadyKnown }) => imported + alreadyKnown)).toEqual([4, 4, 4]);
    expect(answers.reduce((sum, { imported }) => sum + imported, 0)).toBe(4);
    const other = await moved(stored);
    const answer = await importing(other, kit);
    expect(counts(answer)).toEqual({ imported: 0, alreadyKnown: 0, manifestsFound: 4 });
    expect(answer.refused.every(({ code }) => code === 'CONFLICT')).toBe(true);
    expect((await other.call<Page<BackupView>>('GET', '/v1/backups/history')).body.totalResults).toBe(0);
  }, 120_000);
});
