import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type {
  BackupDetailView,
  BackupKeysView,
  BackupView,
  CreateStorageDto,
  DownloadAnswer,
  ImportAnswer,
  Page,
  RestoreAnswer,
  RestoreView,
  RunAnswer,
  StorageView,
} from '@rahatback/contracts';
import { openWithAgeIdentity, parseKeysFile, parseRecoveryKit, sealSecret, type RecoveryKitKeys } from '@rahatback/crypto';
import { startRgw, tempDir, waitFor, type PrivateS3 } from '@rahatback/testing';
import { tableDigests } from '../demo/table-digests.js';
import { waitEnded } from '../demo/watch.js';
import { waitOnline } from '../system/agent-side.js';
import { startWorld, type World } from '../system/world.js';

const RUN_TIMEOUT_MS = 120_000;
const PASSWORD = 'yeni-sunucunun-parolasi-1';
const run = promisify(execFile);

type Content = readonly { readonly table: string; readonly rows: number; readonly digest: string }[];

const contentOf = async (url: string): Promise<Content> =>
  (await tableDigests(url)).map(({ table, rows, digest }) => ({ table, rows, digest }));

/** All that is left of the first server: the printed kit, and the bucket with its keys. */
interface Left {
  readonly kitPath: string;
  readonly kit: RecoveryKitKeys;
  readonly content: Content;
  readonly newestId: string;
}

describe('a server lost with its database', () => {
  let s3: PrivateS3;
  let bucket: string;
  let drawer: { readonly path: string; remove(): Promise<void> };
  let left: Left;
  let world: World;
  let storage: StorageView;

  const storageDto = (): CreateStorageDto => ({
    storageType: 's3',
    name: 'Bucket',
    s3Endpoint: s3.endpoint,
    s3Region: s3.region,
    s3Bucket: bucket,
    s3Prefix: 'yedekler',
    s3AccessKeyId: s3.accessKeyId,
    s3SecretAccessKey: s3.secretAccessKey,
    s3ForcePathStyle: true,
  });

  /** The kit, printed before there was an agent, with the page of public keys that was printed later. */
  async function printKit(first: World): Promise<string> {
    const page = join(drawer.path, 'trust.json');
    await writeFile(page, JSON.stringify(await first.person.call('GET', '/v1/workspace/trust')));
    const pins = await first.agent.mustRun(['recovery-key', '--pins', page]);
    expect(pins).not.toContain('AGE-SECRET-KEY');
    const path = join(drawer.path, 'kit.txt');
    await writeFile(path, `${first.recovery.identity}\n${first.recovery.recipient}\n${pins}`, { mode: 0o600 });
    return path;
  }

  async function firstLife(): Promise<Left> {
    const first = await startWorld({ rows: 5000 });
    try {
      const { id: cloudStorageId } = await first.person.call<StorageView>('POST', '/v1/storages', storageDto());
      const job = await first.makeJob({ backupType: 'incremental', storageType: 's3', cloudStorageId });
      const made: BackupDetailView[] = [];
      for (const change of ['', `UPDATE musteri SET ad = ad || '!' WHERE id < 9`, 'DELETE FROM siparis WHERE id % 7 = 0']) {
        if (change !== '') await first.customer.query(change, { database: first.customerDatabase });
        const { historyId } = await first.person.call<RunAnswer>('POST', `/v1/backups/jobs/${job.id}/run`);
        made.push(await waitEnded<BackupDetailView>(first.person, `/v1/backups/history/${historyId}`, RUN_TIMEOUT_MS));
      }
      expect(made.map(({ status, backupType }) => `${status} ${backupType}`)).toEqual([
        'success full',
        'success incremental',
        'success incremental',
      ]);
      const kitPath = await printKit(first);
      return {
        kitPath,
        kit: parseRecoveryKit(await readFile(kitPath, 'utf8')),
        content: await contentOf(first.customer.url(first.customerDatabase)),
        newestId: made[2]?.id ?? '',
      };
    } finally {
      // PostgreSQL, Redis, keys folder, agent's home and the customer's database: all of it is gone.
      await first.stop();
    }
  }

  beforeAll(async () => {
    s3 = await startRgw();
    bucket = await s3.createBucket('rahatback-lost');
    drawer = await tempDir('rahatback-drawer-');
    left = await firstLife();
    world = await startWorld({ rows: 10, databasePassword: PASSWORD });
    storage = await world.person.call<StorageView>('POST', '/v1/storages', storageDto());
  }, 300_000);

  afterAll(async () => {
    await world?.stop();
    await drawer?.remove();
    await s3?.stop();
  }, 90_000);

  const importDto = () => ({
    agents: left.kit.agentKeys.map(({ id, publicKey }) => ({ agentId: id, signPublicKey: publicKey })),
    serverPublicKey: left.kit.serverKeys[0]?.publicKey,
  });
  const importing = (): Promise<ImportAnswer> => world.person.call('POST', `/v1/storages/${storage.id}/import`, importDto());
  const imported = async (): Promise<readonly BackupView[]> =>
    (await world.person.call<Page<BackupView>>('GET', '/v1/backups/history?limit=50')).results;

  const target = (): string[] => [
    ...['--host', world.customer.host, '--port', String(world.customer.port), '--user', 'yedek', '--tls-mode', 'disable'],
  ];

  /** The commands of the README in the download, as they stand there, with none of our programs. */
  async function asItsReadmeSays(folder: string): Promise<void> {
    const lines = (await readFile(join(folder, 'README.txt'), 'utf8')).split('\n');
    const first = lines.findIndex((line) => line.startsWith('  node -p'));
    const last = lines.findIndex((line) => line.startsWith('  psql'));
    expect([first > 0, last > first]).toEqual([true, true]);
    await writeFile(join(folder, 'recovery.txt'), `${left.kit.identity}\n`, { mode: 0o600 });
    const server = { PGHOST: world.customer.host, PGPORT: String(world.customer.port), PGUSER: 'yedek', PGPASSWORD: PASSWORD };
    await run('bash', ['-eo', 'pipefail', '-c', lines.slice(first, last + 1).join('\n')], {
      cwd: folder,
      env: { ...process.env, ...server },
    });
  }

  it(
    'comes back as history out of the bucket, by the kit alone, also when the import is killed on the way',
    async () => {
      const api = world.server.apis[0];
      await api?.stop();
      await api?.start({ FAULT: 'api.import.mid:2' });
      await world.server.waitReady();
      await expect(importing()).rejects.toThrow();
      await waitFor(() => api?.isRunning() === false, { describe: 'the import to be killed' });
      await api?.start({ FAULT: '' });
      await world.server.waitReady();
      expect(await imported()).toEqual([]);

      expect(await importing()).toMatchObject({ manifestsFound: 3, imported: 3, alreadyKnown: 0, refused: [] });
      expect(await importing()).toMatchObject({ manifestsFound: 3, imported: 0, alreadyKnown: 3, refused: [] });
      const history = await imported();
      expect(history.map(({ status, backupType }) => `${status} ${backupType}`)).toEqual([
        'success incremental',
        'success incremental',
        'success full',
      ]);
      expect(history[0]?.id).toBe(left.newestId);
    },
    RUN_TIMEOUT_MS,
  );

  it(
    'gives back the newest backup straight from the bucket, with the kit and no server',
    async () => {
      const [newest] = await imported();
      await world.agent.mustRun(
        [
          ...['restore', '--from', `s3://${bucket}/yedekler`, '--endpoint', s3.endpoint, '--region', s3.region],
          ...['--backup', newest?.id ?? '', '--identity', left.kitPath, '--database', 'kovadan', ...target()],
        ],
        { AWS_ACCESS_KEY_ID: s3.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.secretAccessKey, PGPASSWORD: PASSWORD },
      );
      expect(await contentOf(world.customer.url('kovadan'))).toEqual(left.content);
    },
    RUN_TIMEOUT_MS,
  );

  it(
    'gives it back from a download, unpacked into a folder',
    async () => {
      const answer = await world.person.call<DownloadAnswer>('GET', `/v1/backups/history/${left.newestId}/download?chain=true`);
      const bytes = Buffer.from(await (await fetch(answer.url)).arrayBuffer());
      expect(bytes.length).toBe(answer.sizeBytes);
      await writeFile(join(drawer.path, answer.fileName), bytes);
      await run('tar', ['-xf', answer.fileName], { cwd: drawer.path });
      await world.agent.mustRun(
        [
          ...['restore', '--from', join(drawer.path, `rahatback-${left.newestId}`), '--backup', left.newestId],
          ...['--identity', left.kitPath, '--database', 'indirilen', ...target()],
        ],
        { PGPASSWORD: PASSWORD },
      );
      expect(await contentOf(world.customer.url('indirilen'))).toEqual(left.content);
      await asItsReadmeSays(join(drawer.path, `rahatback-${left.newestId}`));
      expect(await contentOf(world.customer.url('restored'))).toEqual(left.content);
    },
    RUN_TIMEOUT_MS,
  );

  it(
    'gives it back through the new server and its agent, which believes the lost agent by the kit only',
    async () => {
      const { person, database, agent } = world;
      await waitOnline(person, 'agent-1');
      const path = `/v1/backups/history/${left.newestId}`;
      const keys = await person.call<BackupKeysView>('GET', `${path}/keys?targetDatabaseId=${database.id}`);
      const dek = await openWithAgeIdentity(parseKeysFile(Buffer.from(keys.keysFile)), left.kit.identity);
      const sealedKey = await sealSecret({
        ...keys.binding,
        recipientPublicKey: keys.receiver.sealPublicKey,
        plaintext: dek.toString('base64'),
      });
      const restored = async (targetDatabase: string): Promise<RestoreView> => {
        const dto = { targetDatabaseId: database.id, targetDatabase, sealedKey };
        const answer = await person.call<RestoreAnswer>('POST', `${path}/restore`, dto);
        return waitEnded<RestoreView>(person, `/v1/restores/${answer.restoreHistoryId}`, RUN_TIMEOUT_MS);
      };
      expect(await restored('guvensiz')).toMatchObject({ status: 'failed', errorCode: 'AGENT_POLICY_REFUSED' });
      const told = await agent.mustRun(['trust', '--kit', left.kitPath]);
      expect(told).toContain(keys.maker.fingerprint);
      const restore = await restored('yeniden');
      expect(restore).toMatchObject({ status: 'success', errorCode: null });
      const content = await contentOf(world.customer.url('yeniden'));
      expect(content).toEqual(left.content);
      const tables = restore.tables.filter(({ equal }) => equal).length;
      expect(tables).toBe(restore.tablesTotal);
      process.stdout.write(
        `lost server: ${(await imported()).length} backups imported, newest restored, ${tables} tables equal\n`,
      );
    },
    RUN_TIMEOUT_MS,
  );
});
