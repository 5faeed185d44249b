import { randomBytes, randomUUID } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { CatalogueDifference, ReconcileAnswer } from '@rahatback/contracts';
import { startRgw, type PrivateS3 } from '@rahatback/testing';
import { startApi, type RunningApi } from '../../testing/start-api.js';
import { refusalOf, type BackupScene } from '../backups/testing/backup-scene.js';
import { storedScene, type StorageKind, type StoredScene } from '../backups/testing/stored-scene.js';
import { ReconcileSweep } from './reconcile-sweep.service.js';

describe('reconciling a storage with the history', () => {
  let s3: PrivateS3;
  let api: RunningApi;

  beforeAll(async () => {
    s3 = await startRgw();
    api = await startApi({ config: { watchdogIntervalMs: 200 } });
  }, 120_000);
  afterAll(async () => {
    await api?.stop();
    await s3?.stop();
  });

  const reconcile = async (scene: BackupScene, deep = false): Promise<ReconcileAnswer> => {
    const { status, body } = await scene.call<ReconcileAnswer>('POST', `/v1/storages/${scene.storageId}/reconcile`, { deep });
    if (status !== 200) throw new Error(`reconcile was answered with ${status}: ${JSON.stringify(body)}`);
    return body;
  };

  const damageOf = async (scene: BackupScene, backupId: string): Promise<string | null> => (await scene.detail(backupId)).damage;

  const made = async ({ scene }: StoredScene) => {
    const { backupId, command } = await scene.succeeded(await scene.job(), 200_000);
    const prefix = `${scene.owner.workspaceId}/${scene.databaseId}/${backupId}/${command.fence}/`;
    return { backupId, key: (object: string) => prefix + object };
  };

  const named = ({ differences }: ReconcileAnswer) =>
    differences.map(({ kind, key, backupId }: CatalogueDifference) => `${kind} ${key} ${backupId ?? '-'}`).sort();

  describe.each<StorageKind>(['local', 's3'])('on %s', (kind) => {
    it('finds nothing where nothing is wrong, and each difference exactly once where something is', async () => {
      const stored = await storedScene(api, kind, s3);
      const { scene, intruder } = stored;
      const whole = await made(stored);
      const lost = await made(stored);
      const short = await made(stored);
      const flipped = await made(stored);
      const unmanifested = await made(stored);
      const forgotten = await made(stored);
      const running = await scene.started(await scene.job());
      await scene.agent.upload(running.command, 'data-00001', randomBytes(1000));
      const clean = await reconcile(scene);
      expect(clean).toMatchObject({
        missing: 0,
        orphaned: 0,
        altered: 0,
        differences: [],
        backupsChecked: 6,
        objectsChecked: 25,
      });

      const originals = new Map<string, Buffer>();
      const keep = async (key: string) => originals.set(key, await intruder.read(key)).get(key) ?? Buffer.alloc(0);
      await keep(lost.key('data-00001'));
      await intruder.remove(lost.key('data-00001'));
      await keep(short.key('data-00001'));
      await intruder.cut(short.key('data-00001'), 100);
      const index = Buffer.from(await keep(flipped.key('index')));
      index[50] = (index[50] ?? 0) ^ 1;
      await intruder.write(flipped.key('index'), index);
      await keep(unmanifested.key('manifest.json'));
      await intruder.remove(unmanifested.key('manifest.json'));
      await scene.sql('DELETE FROM backups WHERE id = $1', [forgotten.backupId]);
      const stranger = `${scene.owner.workspaceId}/notes.txt`;
      await intruder.write(stranger, Buffer.from('hello'));
      await intruder.write(whole.key('data-00009'), Buffer.from('hello'));
      const lookalike = `${scene.owner.workspaceId}/${scene.databaseId}/${randomUUID()}/1/data-00001`;
      await intruder.write(lookalike, Buffer.from('hello'));

      const found = await reconcile(scene);
      expect(named(found)).toEqual(
        [
          `missing ${lost.key('data-00001')} ${lost.backupId}`,
          `altered ${short.key('data-00001')} ${short.backupId}`,
          `altered ${flipped.key('index')} ${flipped.backupId}`,
          `missing ${unmanifested.key('manifest.json')} ${unmanifested.backupId}`,
          ...['data-00001', 'index', 'keys-1.json', 'manifest.json'].map((name) => `orphaned ${forgotten.key(name)} -`),
          `orphaned ${stranger} -`,
          `orphaned ${whole.key('data-00009')} ${whole.backupId}`,
          `orphaned ${lookalike} -`,
        ].sort(),
      );
      expect([found.missing, found.altered, found.orphaned]).toEqual([2, 2, 7]);
      expect(await damageOf(scene, lost.backupId)).toMatch(/^The storage check found data-00001 missing\./);
      expect(await damageOf(scene, short.backupId)).toMatch(/data-00001 altered/);
      expect(await damageOf(scene, flipped.backupId)).toMatch(/index altered/);
      expect(await damageOf(scene, unmanifested.backupId)).toMatch(/manifest\.json missing/);
      expect(await damageOf(scene, whole.backupId)).toBeNull();
      process.stdout.write(
        `reconcile: ${found.objectsChecked} objects, ${found.bytesChecked} bytes, ${found.backupsChecked} backups on ${kind}: ` +
          `${found.missing} missing, ${found.altered} altered, ${found.orphaned} orphaned\n`,
      );

      for (const [key, bytes] of originals) await intruder.write(key, bytes);
      const mended = await reconcile(scene);
      expect([mended.missing, mended.altered, mended.orphaned]).toEqual([0, 0, 7]);
      for (const { backupId } of [lost, short, flipped, unmanifested]) expect(await damageOf(scene, backupId)).toBeNull();
      const audited = await scene.sql(
        `SELECT detail->>'missing', detail->>'damageChanged', actor_type FROM audit_events WHERE action = 'storage.reconciled' AND target_id = $1 ORDER BY at`,
        [scene.storageId],
      );
      expect(audited).toEqual([
        ['0', '0', 'user'],
        ['2', '4', 'user'],
        ['0', '4', 'user'],
      ]);
    }, 120_000);

    it('reads a volume that was written anew since it was stored, and the right bytes only once', async () => {
      const stored = await storedScene(api, kind, s3);
      const { scene, intruder } = stored;
      const { backupId, key } = await made(stored);
      const stamp = async () =>
        (
          await scene.sql(`SELECT stamp FROM backup_objects WHERE backup_id = $1 AND object = 'data-00001'`, [backupId])
        ).flat()[0];
      const before = await stamp();
      expect(before).toEqual(expect.any(String));
      const original = await intruder.read(key('data-00001'));
      const volume = Buffer.from(original);
      volume[1000] = (volume[1000] ?? 0) ^ 1;
      await intruder.write(key('data-00001'), volume);
      expect(named(await reconcile(scene))).toEqual([`altered ${key('data-00001')} ${backupId}`]);
      expect(await damageOf(scene, backupId)).toMatch(/^The storage check found data-00001 altered/);
      expect(await stamp()).toBe(before);
      await intruder.write(key('data-00001'), original);
      expect(named(await reconcile(scene))).toEqual([]);
      expect(await damageOf(scene, backupId)).toBeNull();
      const after = await stamp();
      expect(after).not.toBe(before);
      await reconcile(scene);
      expect(await stamp()).toBe(after);
    }, 60_000);

    it('reads other volumes only when it is told to, and does not take back then what it cannot see', async () => {
      const stored = await storedScene(api, kind, s3);
      const { scene, intruder } = stored;
      const { backupId, key } = await made(stored);
      // As after an import: nobody has kept a stamp.
      await scene.sql(`UPDATE backup_objects SET stamp = NULL WHERE backup_id = $1`, [backupId]);
      const original = await intruder.read(key('data-00001'));
      const volume = Buffer.from(original);
      volume[1000] = (volume[1000] ?? 0) ^ 1;
      await intruder.write(key('data-00001'), volume);
      expect(named(await reconcile(scene))).toEqual([]);
      expect(named(await reconcile(scene, true))).toEqual([`altered ${key('data-00001')} ${backupId}`]);
      const damage = await damageOf(scene, backupId);
      expect(damage).toMatch(/^The deep storage check found data-00001 altered/);
      await reconcile(scene);
      expect(await damageOf(scene, backupId)).toBe(damage);
      await intruder.write(key('data-00001'), original);
      await reconcile(scene, true);
      expect(await damageOf(scene, backupId)).toBeNull();
    }, 60_000);
  });

  it('changes nothing when the storage cannot be listed', async () => {
    const stored = await storedScene(api, 'local', undefined);
    const { scene } = stored;
    const { backupId } = await made(stored);
    const folder = join(api.config.storageRoot, scene.owner.workspaceId, 'default');
    await rename(folder, `${folder}-unmounted`);
    const answer = await scene.call<{ code: string }>('POST', `/v1/storages/${scene.storageId}/reconcile`);
    expect([answer.status, answer.body.code]).toEqual([502, 'STORAGE_UNREACHABLE']);
    expect(await damageOf(scene, backupId)).toBeNull();
    await rename(`${folder}-unmounted`, folder);
    expect(named(await reconcile(scene))).toEqual([]);
  }, 60_000);

  it('leaves other damage alone, takes no deleted backup for a lost one, and counts no place that is being cleaned', async () => {
    const stored = await storedScene(api, 'local', undefined);
    const { scene, intruder } = stored;
    const verified = await made(stored);
    await scene.sql(`UPDATE backups SET damage = 'A verification found it.' WHERE id = $1`, [verified.backupId]);
    const deleted = await made(stored);
    await scene.call('DELETE', `/v1/backups/history/${deleted.backupId}`);
    await scene.untilEmpty(deleted.backupId);
    const failed = await scene.started(await scene.job());
    await scene.agent.upload(failed.command, 'data-00001', randomBytes(1000));
    await scene.agent.fail(failed.command, 'DB_PRIVILEGE');
    await scene.untilClean(failed.backupId);
    const late = `${scene.owner.workspaceId}/${scene.databaseId}/${failed.backupId}/${failed.command.fence}/data-00002`;
    await intruder.write(late, Buffer.from('late'));
    expect(named(await reconcile(scene))).toEqual([]);
    await scene.sql(`UPDATE backup_attempts SET ended_at = now() - interval '8 days' WHERE backup_id = $1`, [failed.backupId]);
    expect(named(await reconcile(scene))).toEqual([`orphaned ${late} ${failed.backupId}`]);
    expect(await damageOf(scene, verified.backupId)).toBe('A verification found it.');
  }, 60_000);

  it('belongs to operators of its workspace, runs once at a time, and by itself once a day', async () => {
    const stored = await storedScene(api, 'local', undefined);
    const { scene, intruder } = stored;
    const { backupId, key } = await made(stored);
    const path = `/v1/storages/${scene.storageId}/reconcile`;
    const other = (await storedScene(api, 'local', undefined)).scene;
    expect((await other.call('POST', path)).status).toBe(404);
    const statuses = await Promise.all([1, 2, 3].map(async () => (await scene.call('POST', path)).status));
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(1);
    expect(statuses.every((status) => status === 200 || status === 409)).toBe(true);
    await scene.sql(`UPDATE memberships SET role = 'viewer' WHERE user_id = $1`, [scene.owner.userId]);
    expect((await scene.call('POST', path)).status).toBe(403);
    await intruder.remove(key('index'));
    const sweep = api.app.get(ReconcileSweep);
    await scene.sql(`UPDATE storages SET created_at = now() - interval '2 days' WHERE id = $1`, [scene.storageId]);
    await sweep.run();
    const [before] = await scene.sql('SELECT damage FROM backups WHERE id = $1', [backupId]);
    expect(before).toEqual([null]);
    // The audit log's own trigger would refuse it: a superuser moves the clock of this row.
    await scene.sql(
      `SET session_replication_role = replica; UPDATE audit_events SET at = now() - interval '25 hours' WHERE action = 'storage.reconciled'`,
    );
    expect(await refusalOf(sweep.run())).toBe('none');
    const [after] = await scene.sql('SELECT damage FROM backups WHERE id = $1', [backupId]);
    expect(after).toEqual([expect.stringContaining('index missing')]);
  }, 60_000);

  it('goes through a history of any length, names the first thousand and counts all', async () => {
    const stored = await storedScene(api, 'local', undefined);
    const { scene } = stored;
    const { backupId } = await made(stored);
    const copies = 1100;
    const columns = (
      await scene.sql(
        `SELECT column_name FROM information_schema.columns WHERE table_name = 'backups' AND column_name <> 'id' ORDER BY 1`,
      )
    ).map(([name]) => String(name));
    await scene.sql(
      `INSERT INTO backups (id, ${columns.join(', ')}) SELECT gen_random_uuid(), ${columns.join(', ')} FROM backups, generate_series(1, ${copies}) WHERE id = $1`,
      [backupId],
    );
    await scene.sql(
      `INSERT INTO backup_attempts (backup_id, fence, workspace_id, attempt, command_id, state)
       SELECT id, fence, workspace_id, 1, gen_random_uuid(), 'success' FROM backups WHERE storage_id = $1 AND id <> $2`,
      [scene.storageId, backupId],
    );
    const found = await reconcile(scene);
    expect(found).toMatchObject({ backupsChecked: copies + 1, missing: copies, altered: 0, orphaned: 0, objectsChecked: 4 });
    expect(new Set(found.differences.map(({ key }) => key)).size).toBe(1000);
    const damaged = 'SELECT count(*)::int FROM backups WHERE storage_id = $1 AND damage IS NOT NULL';
    expect(await scene.sql(damaged, [scene.storageId])).toEqual([[copies]]);
    expect(await damageOf(scene, backupId)).toBeNull();
  }, 120_000);

  it('refuses the disk of an agent, which the server cannot read', async () => {
    const { scene } = await storedScene(api, 'local', undefined);
    await scene.sql(`UPDATE storages SET settings = $2 WHERE id = $1`, [
      scene.storageId,
      JSON.stringify({ agentId: scene.agent.id, path: '/srv' }),
    ]);
    const answer = await scene.call<{ code: string }>('POST', `/v1/storages/${scene.storageId}/reconcile`);
    expect([answer.status, answer.body.code]).toEqual([409, 'CONFLICT']);
  }, 60_000);
});
