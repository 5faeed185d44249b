import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  BackupDetailView,
  ErrorBody,
  ExportAnswer,
  ExportView,
  JobView,
  RestoreAnswer,
  RestoreView,
  RunAnswer,
  StorageView,
  VerificationView,
  VerifyAnswer,
} from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import { tableDigests } from '../demo/table-digests.js';
import { waitEnded } from '../demo/watch.js';
import { startWorld, type World } from '../system/world.js';

const TIMEOUT_MS = 120_000;

/** The whole product, with the backups on the agent's own disk: the server's storage never sees a byte. */
describe("a job that stores on its agent's own disk", () => {
  let world: World;
  let disk: string;

  beforeAll(async () => {
    world = await startWorld();
    disk = join(world.server.home, 'disk');
    await mkdir(disk);
  }, 180_000);
  afterAll(() => world.stop(), 60_000);

  const filesIn = async (folder: string): Promise<string[]> =>
    (await readdir(folder, { recursive: true, withFileTypes: true }))
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name)
      .sort();

  const makeJob = (storagePath: string): Promise<JobView> =>
    world.person.call<JobView>('POST', '/v1/backups/jobs', {
      databaseId: world.database.id,
      name: `Job in ${storagePath}`,
      backupType: 'incremental',
      storagePath,
    });

  async function run(job: JobView): Promise<BackupDetailView> {
    const { historyId } = await world.person.call<RunAnswer>('POST', `/v1/backups/jobs/${job.id}/run`);
    return waitEnded<BackupDetailView>(world.person, `/v1/backups/history/${historyId}`, TIMEOUT_MS);
  }

  it(
    'is refused by the policy of the machine until a person there allows the folder',
    async () => {
      const refused = await run(await makeJob(disk));
      expect(refused).toMatchObject({ status: 'failed', errorCode: 'AGENT_POLICY_REFUSED' });
      expect(refused.errorMessage).toContain(`rahatback-agent policy allow-folder ${disk}`);
      expect(refused.attempts).toHaveLength(1);
      await world.agent.mustRun(['policy', 'allow-folder', disk]);
    },
    TIMEOUT_MS,
  );

  it(
    'backs up full and incremental, verifies, restores equal, exports, and deletes both until the folder is empty',
    async () => {
      const job = await makeJob(disk);
      const storage = await world.person.call<StorageView>('GET', `/v1/storages/${job.cloudStorageId}`);
      expect(storage).toMatchObject({ place: 'agent', agentId: world.agentView.id, path: disk });
      const full = await run(job);
      expect(full).toMatchObject({ status: 'success', backupType: 'full', errorCode: null, storageType: 'local' });
      await world.customer.query(`UPDATE musteri SET ad = ad || '!' WHERE id = 7`, { database: world.customerDatabase });
      const link = await run(job);
      expect(link).toMatchObject({ status: 'success', backupType: 'incremental', baseBackupId: full.id });
      expect(link.storedBytes ?? Infinity).toBeLessThan((full.storedBytes ?? 0) / 2);
      expect(await filesIn(disk)).toHaveLength(8);

      const { verificationId } = await world.person.call<VerifyAnswer>('POST', `/v1/backups/history/${link.id}/verify`, {
        verificationLevel: 'BASIC',
      });
      const verification = await waitFor(
        async () => {
          const view = await world.person.call<VerificationView>('GET', `/v1/verifications/${verificationId}`);
          return view.status === 'PENDING' ? undefined : view;
        },
        { describe: 'the verification to end', timeoutMs: TIMEOUT_MS },
      );
      expect(verification).toMatchObject({ status: 'PASSED' });

      const answer = await world.person.call<RestoreAnswer>('POST', `/v1/backups/history/${link.id}/restore`, {});
      const restore = await waitEnded<RestoreView>(world.person, `/v1/restores/${answer.restoreHistoryId}`, TIMEOUT_MS);
      expect(restore).toMatchObject({ status: 'success', errorCode: null });
      const digests = async (database: string) =>
        (await tableDigests(world.customer.url(database))).map(({ table, rows, digest }) => ({ table, rows, digest }));
      expect(await digests(restore.targetDatabase)).toEqual(await digests(world.customerDatabase));

      const { commandId } = await world.person.call<ExportAnswer>('POST', `/v1/backups/history/${link.id}/export`);
      const exported = await waitFor(
        async () => {
          const view = await world.person.call<ExportView>('GET', `/v1/backups/exports/${commandId}`);
          return view.endedAt === null ? undefined : view;
        },
        { describe: 'the export to end', timeoutMs: TIMEOUT_MS },
      );
      expect(exported).toMatchObject({ state: 'succeeded', errorCode: null, sizeBytes: link.sizeBytes });
      const dump = await readFile(exported.path ?? '');
      expect(createHash('sha256').update(dump).digest('hex')).toBe(exported.sha256);
      expect(dump.toString()).toContain('Müşteri 7!');

      const early = await world.person.send('DELETE', `/v1/backups/history/${full.id}`);
      expect([early.status, (early.body as ErrorBody).code]).toEqual([409, 'CHAIN_IN_USE']);
      for (const { id } of [link, full]) {
        await world.person.call('DELETE', `/v1/backups/history/${id}`);
        await waitFor(async () => (await world.person.send('GET', `/v1/backups/history/${id}`)).status === 404, {
          describe: `backup ${id} to be gone`,
          timeoutMs: 30_000,
        });
      }
      expect(await readdir(disk)).toEqual([]);
    },
    TIMEOUT_MS * 3,
  );

  it(
    'keeps a deletion for the agent that is away, and shows it',
    async () => {
      const backup = await run(await makeJob('kendi'));
      expect(backup.status).toBe('success');
      const folder = join(world.agent.home, 'backups', 'kendi');
      expect(await filesIn(folder)).toHaveLength(4);
      await world.agent.daemon.stop();
      try {
        await world.person.call('DELETE', `/v1/backups/history/${backup.id}`);
        const deleting = await world.person.call<BackupDetailView>('GET', `/v1/backups/history/${backup.id}`);
        expect(deleting.deletingAt).toEqual(expect.any(String));
      } finally {
        await world.agent.daemon.start();
      }
      await waitFor(async () => (await world.person.send('GET', `/v1/backups/history/${backup.id}`)).status === 404, {
        describe: 'the backup to be gone',
        timeoutMs: 30_000,
      });
      expect(await readdir(folder)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
