import { open, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  BackupDetailView,
  JobView,
  Page,
  PreflightAnswer,
  RestoreAnswer,
  RestoreView,
  RunAnswer,
  SwapState,
  VerificationLevel,
  VerificationView,
  VerifyAnswer,
} from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import { storedFiles } from '../crash/invariants.js';
import { waitEnded } from '../demo/watch.js';
import { startWorld, type World } from '../system/world.js';

const TIMEOUT_MS = 120_000;

/** A backup is proved by a restore, and a restore can be undone: the whole way, by the API and a real agent. */
describe('proved and undone', () => {
  let world: World;
  let job: JobView;

  beforeAll(async () => {
    world = await startWorld();
    job = await world.makeJob();
  }, 180_000);

  afterAll(async () => {
    await world.stop();
  }, 60_000);

  async function backUp(jobId = job.id): Promise<BackupDetailView> {
    const { historyId } = await world.person.call<RunAnswer>('POST', `/v1/backups/jobs/${jobId}/run`);
    const backup = await waitEnded<BackupDetailView>(world.person, `/v1/backups/history/${historyId}`, TIMEOUT_MS);
    expect([backup.status, backup.errorMessage]).toEqual(['success', null]);
    return backup;
  }

  const backupOf = (id: string): Promise<BackupDetailView> => world.person.call('GET', `/v1/backups/history/${id}`);

  const judged = (path: string): Promise<VerificationView> =>
    waitFor(
      async () => {
        const view = await world.person.call<VerificationView>('GET', path);
        return view.status === 'PENDING' ? undefined : view;
      },
      { timeoutMs: TIMEOUT_MS, pollMs: 100, describe: 'the verification to end' },
    );

  async function verify(backupId: string, verificationLevel: VerificationLevel): Promise<VerificationView> {
    const path = `/v1/backups/history/${backupId}/verify`;
    const { verificationId } = await world.person.call<VerifyAnswer>('POST', path, { verificationLevel });
    return judged(`/v1/verifications/${verificationId}`);
  }

  const restoreOf = (id: string): Promise<RestoreView> => world.person.call('GET', `/v1/restores/${id}`);

  const inState = (id: string, ...states: SwapState[]): Promise<RestoreView> =>
    waitFor(
      async () => {
        const view = await restoreOf(id);
        return view.swapState !== null && states.includes(view.swapState) ? view : undefined;
      },
      { timeoutMs: TIMEOUT_MS, pollMs: 100, describe: `the restore to be ${states.join(' or ')}` },
    );

  const stepsOf = (backup: BackupDetailView): string[] => backup.attempts.flatMap(({ steps }) => steps.map(({ name }) => name));

  const volumeOf = async ({ id }: BackupDetailView): Promise<string> => {
    const volume = (await storedFiles(world)).find((file) => file.includes(id) && file.endsWith('data-00001'));
    return join(world.server.storageRoot, volume ?? '');
  };

  async function flipBit(path: string): Promise<void> {
    const file = await open(path, 'r+');
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, 4321);
    await file.write(Buffer.from([byte.readUInt8() ^ 1]), 0, 1, 4321);
    await file.close();
  }

  const customer = async (sql: string, database = world.customerDatabase): Promise<unknown> =>
    (await world.customer.query(sql, { database }))[0]?.[0];

  it(
    'proves a backup by a real restore in a throw-away server, and keeps what that took',
    async () => {
      const backup = await backUp();
      const result = await verify(backup.id, 'FULL');
      expect([result.status, result.reason]).toEqual(['PASSED', null]);
      expect(result.checks.filter((check) => check.result !== 'passed')).toEqual([]);
      expect(result.checks.map(({ name }) => name)).toEqual(
        expect.arrayContaining(['checksums', 'contents', 'restore', 'digests']),
      );
      expect(result.tablesTotal).toBeGreaterThanOrEqual(3);
      expect(result.tablesEqual).toBe(result.tablesTotal);
      expect(await backupOf(backup.id)).toMatchObject({
        verificationStatus: 'PASSED',
        verificationLevel: 'FULL',
        measuredRestoreMs: expect.any(Number),
      });
      process.stdout.write(
        `verification FULL through the whole product: ${result.tablesEqual ?? 0} tables equal, restored in ${result.restoreMs ?? 0} ms\n`,
      );
    },
    TIMEOUT_MS,
  );

  it(
    'verifies by itself after a backup, when the job says so',
    async () => {
      const verified = await world.makeJob({ autoVerifyAfterBackup: true, verificationLevel: 'DATABASE' });
      const backup = await backUp(verified.id);
      const path = `/v1/backups/history/${backup.id}/verifications`;
      const [first] = await waitFor(
        async () => {
          const { results } = await world.person.call<Page<VerificationView>>('GET', path);
          return results.length > 0 && results.every(({ status }) => status !== 'PENDING') ? results : undefined;
        },
        { timeoutMs: TIMEOUT_MS, describe: 'the verification to come and to end' },
      );
      expect(first).toMatchObject({ status: 'PASSED', verificationLevel: 'DATABASE', trigger: 'after_backup' });
    },
    TIMEOUT_MS,
  );

  it(
    'names what is damaged, and builds no further backup on it',
    async () => {
      const chained = await world.makeJob({ backupType: 'incremental' });
      const full = await backUp(chained.id);
      const second = await backUp(chained.id);
      expect([full.backupType, second.backupType, second.baseBackupId]).toEqual(['full', 'incremental', full.id]);
      // What the agent wrote itself and nobody touched is not read again.
      expect(stepsOf(second)).not.toContain('read again');
      await flipBit(await volumeOf(full));
      const result = await verify(full.id, 'BASIC');
      expect(result.status).toBe('FAILED');
      expect(
        result.checks
          .filter((check) => check.result === 'failed')
          .map(({ message }) => message)
          .join(' '),
      ).toContain('data-00001');
      expect(await backupOf(full.id)).toMatchObject({
        verificationStatus: 'FAILED',
        damage: expect.stringContaining('data-00001'),
      });
      const next = await backUp(chained.id);
      expect([next.backupType, next.baseBackupId]).toEqual(['full', null]);
      expect((await verify(next.id, 'FULL')).status).toBe('PASSED');

      // Nobody verified these damages: the next backup itself meets each, names it, and does not build on it.
      let base = next;
      for (const harm of [flipBit, (path: string) => truncate(path, 1000)]) {
        await harm(await volumeOf(base));
        const after = await backUp(chained.id);
        expect([after.backupType, after.baseBackupId]).toEqual(['full', null]);
        expect(stepsOf(after)).toContain('full instead');
        const damaged = base.id;
        await waitFor(async () => (await backupOf(damaged)).damage?.includes('data-00001'), {
          describe: 'the damage to be marked',
        });
        base = after;
      }
    },
    TIMEOUT_MS,
  );

  it(
    'swaps a restored copy into the live database’s place, takes it back, and drops what was put aside',
    async () => {
      const backup = await backUp();
      await world.customer.query(`UPDATE musteri SET ad = 'yanlışlıkla' WHERE id <= 100`, { database: world.customerDatabase });
      const wrong = `SELECT count(*)::int FROM musteri WHERE ad = 'yanlışlıkla'`;
      const path = `/v1/backups/history/${backup.id}/restore`;
      // By default an agent lets nobody, not even its server, change what stands under the live name.
      const order = { mode: 'swap', confirmDatabase: world.customerDatabase, drainSeconds: 1 };
      const forbidden = await world.person.call<RestoreAnswer>('POST', path, order);
      expect(await inState(forbidden.restoreHistoryId, 'swapped', 'swap_failed')).toMatchObject({
        swapState: 'swap_failed',
        errorCode: 'AGENT_POLICY_REFUSED',
        errorMessage: expect.stringContaining('policy allow-restore-over-live'),
      });
      expect(await customer(wrong)).toBe(100);
      await world.agent.mustRun(['policy', 'allow-restore-over-live']);
      const preflight = await world.person.call<PreflightAnswer>('POST', `${path}/preflight`, { mode: 'swap' });
      expect(preflight).toMatchObject({ ready: true });
      expect(await world.person.send('POST', path, { mode: 'swap', confirmDatabase: 'başka' })).toMatchObject({
        status: 400,
        body: { code: 'CONFIRMATION_MISMATCH' },
      });
      const { restoreHistoryId: id } = await world.person.call<RestoreAnswer>('POST', path, order);
      const swapped = await inState(id, 'swapped', 'swap_failed');
      expect([swapped.swapState, swapped.errorMessage]).toEqual(['swapped', null]);
      expect(await customer(wrong)).toBe(0);
      expect(await customer(wrong, swapped.retiredDatabase ?? '')).toBe(100);

      const confirmed = { confirmDatabase: world.customerDatabase };
      const undo = async (): Promise<RestoreView> => {
        await world.person.call('POST', `/v1/restores/${id}/undo`, confirmed);
        const view = await inState(id, 'undone', 'undo_failed');
        expect([view.swapState, view.errorMessage]).toEqual(['undone', null]);
        expect(await customer(wrong)).toBe(100);
        return view;
      };
      await undo();
      await world.person.call('POST', `/v1/restores/${id}/swap`, confirmed);
      const again = await inState(id, 'swapped', 'swap_failed');
      expect([again.swapState, again.errorMessage, await customer(wrong)]).toEqual(['swapped', null, 0]);
      const undone = await undo();

      await world.person.call('POST', `/v1/restores/${id}/discard`, { confirmDatabase: undone.retiredDatabase });
      await inState(id, 'discarded');
      const left = await world.customer.query(`SELECT datname FROM pg_database WHERE datname = $1`, {
        values: [swapped.retiredDatabase],
      });
      expect([left, await customer(wrong)]).toEqual([[], 100]);
    },
    TIMEOUT_MS,
  );

  it(
    'restores one table out of a backup',
    async () => {
      const backup = await backUp();
      const { restoreHistoryId } = await world.person.call<RestoreAnswer>('POST', `/v1/backups/history/${backup.id}/restore`, {
        targetDatabase: 'yalniz_musteri',
        selection: [{ schema: 'public', table: 'musteri' }],
      });
      const restore = await waitEnded<RestoreView>(world.person, `/v1/restores/${restoreHistoryId}`, TIMEOUT_MS);
      expect([restore.status, restore.errorMessage]).toEqual(['success', null]);
      expect(restore.tables).toEqual([expect.objectContaining({ table: 'musteri', rows: 500, equal: true })]);
      expect(await customer(`SELECT count(*)::int FROM pg_tables WHERE schemaname = 'public'`, 'yalniz_musteri')).toBe(1);
    },
    TIMEOUT_MS,
  );
});
