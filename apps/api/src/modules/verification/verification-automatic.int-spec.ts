import type { CommandEnvelope, JobView, Page, VerificationView } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import { io, type Socket } from 'socket.io-client';
import type { RunningApi } from '../../testing/start-api.js';
import { startApi } from '../../testing/start-api.js';
import { enrolledAgent } from '../agents/testing/agent-scene.js';
import type { ScriptedAgent } from '../agents/testing/scripted-agent.js';
import { BackupScene, EMPTY_WORDS } from '../backups/testing/backup-scene.js';
import { passedChecks, VerificationTalk } from './testing/verification-scene.js';

const CONFIG = { watchdogIntervalMs: 200, outboxIntervalMs: 200, trustProxy: ['127.0.0.1'] };

/** An API that works off nothing, so that a test decides when the workers begin. */
describe('a verification after a backup', () => {
  let front: RunningApi;
  let workers: RunningApi[] = [];
  let scene: BackupScene;
  let talk: VerificationTalk;

  beforeAll(async () => {
    front = await startApi({ worker: false, config: CONFIG });
    scene = await BackupScene.create(front);
    talk = new VerificationTalk(scene);
  }, 60_000);
  afterAll(async () => {
    await stopWorkers();
    await front.stop();
  });

  const startWorkers = async (count: number, config: object = {}): Promise<void> => {
    const shared = { database: front.postgres, redis: front.redis };
    const folders = { keysDir: front.config.keysDir, storageRoot: front.config.storageRoot };
    const start = () => startApi({ ...shared, config: { ...CONFIG, ...folders, ...config } });
    workers = await Promise.all(Array.from({ length: count }, start));
  };
  const stopWorkers = async (): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.stop()));
    workers = [];
  };
  const change = async (jobId: string, changes: object): Promise<JobView> =>
    (await scene.call<JobView>('PATCH', `/v1/backups/jobs/${jobId}`, changes)).body;
  const autoJob = async (): Promise<string> => {
    const jobId = await scene.job();
    await change(jobId, { autoVerifyAfterBackup: true });
    return jobId;
  };
  const of = async (backupId: string): Promise<readonly VerificationView[]> =>
    (await scene.call<Page<VerificationView>>('GET', `/v1/backups/history/${backupId}/verifications`)).body.results;
  const begun = (backupId: string): Promise<VerificationView> =>
    waitFor(async () => (await of(backupId))[0], { describe: `a verification of ${backupId}`, timeoutMs: 20_000 });
  const offline = (is: boolean) =>
    scene.sql('UPDATE agents SET session_id = $2 WHERE id = $1', [scene.agent.id, is ? null : `socket-${scene.agent.id}`]);

  it('is made once by several workers, for what the job wanted when each backup began, and for no older backup', async () => {
    const jobId = await scene.job();
    const before = await scene.succeeded(jobId);
    const during = await scene.started(jobId);
    expect(await change(jobId, { autoVerifyAfterBackup: true })).toMatchObject({ verificationLevel: 'BASIC' });
    await scene.agent.completeBackup(during.command);
    const wanted = await scene.succeeded(jobId);
    await change(jobId, { verificationLevel: 'FULL' });
    const deep = await scene.started(jobId);
    await change(jobId, { autoVerifyAfterBackup: false });
    await scene.agent.completeBackup(deep.command);
    const after = await scene.succeeded(jobId);
    expect(await of(wanted.backupId)).toEqual([]);

    await startWorkers(2);
    expect(await begun(wanted.backupId)).toMatchObject({
      trigger: 'after_backup',
      verificationLevel: 'BASIC',
      status: 'PENDING',
    });
    expect(await begun(deep.backupId)).toMatchObject({ trigger: 'after_backup', verificationLevel: 'FULL' });
    for (const { backupId } of [wanted, deep]) await talk.complete(await talk.command(backupId));
    const unmarked = async () =>
      (await scene.sql('SELECT count(*)::int FROM backups WHERE job_id = $1 AND verify_after IS NOT NULL', [jobId]))[0]?.[0] ===
      0;
    await waitFor(unmarked, { describe: 'no backup to wait for its verification' });
    // Every later round has passed them by, too.
    await begun((await scene.succeeded(await autoJob())).backupId);
    const counts = await Promise.all(
      [before, during, wanted, deep, after].map(async ({ backupId }) => (await of(backupId)).length),
    );
    expect(counts).toEqual([0, 0, 1, 1, 0]);
    // What a worker leaves behind that dies between the start and its note of it.
    await scene.sql(`UPDATE backups SET verify_after = 'BASIC' WHERE id = $1`, [wanted.backupId]);
    await begun((await scene.succeeded(await autoJob())).backupId);
    await waitFor(unmarked, { describe: 'the mark to be taken off again' });
    expect(await of(wanted.backupId)).toHaveLength(1);
    expect(await scene.detail(deep.backupId)).toMatchObject({ verificationStatus: 'PASSED', verificationLevel: 'FULL' });
    const audited = await scene.sql(
      `SELECT DISTINCT actor_type FROM audit_events WHERE action = 'verification.started' AND detail->>'trigger' = 'after_backup'`,
    );
    expect(audited).toEqual([['system']]);
    await stopWorkers();
  }, 60_000);

  it('waits for one that a person has asked for, and is not made for a backup that failed or is deleted', async () => {
    const jobId = await scene.job();
    await change(jobId, { autoVerifyAfterBackup: true, verificationLevel: 'DATABASE' });
    const asked = await scene.succeeded(jobId);
    const byHand = await talk.begun(asked.backupId);
    const deleted = await scene.succeeded(jobId);
    expect((await scene.call('DELETE', `/v1/backups/history/${deleted.backupId}`)).status).toBe(202);
    const failed = await scene.started(jobId);
    await scene.agent.fail(failed.command, 'DB_PRIVILEGE');
    await startWorkers(1);
    await scene.untilEmpty(deleted.backupId);
    expect(await of(asked.backupId)).toHaveLength(1);
    await talk.complete(byHand);
    const both = async () => (await of(asked.backupId)).length === 2;
    await waitFor(both, { describe: 'the second verification', timeoutMs: 20_000 });
    expect((await of(asked.backupId))[0]).toMatchObject({ trigger: 'after_backup', verificationLevel: 'DATABASE' });
    const others = await scene.sql('SELECT count(*)::int FROM verifications WHERE backup_id = ANY($1::uuid[])', [
      [deleted.backupId, failed.backupId],
    ]);
    expect(others).toEqual([[0]]);
    await stopWorkers();
  }, 60_000);

  it('is SKIPPED with the reason when the agent stays away for too long', async () => {
    const { backupId } = await scene.succeeded(await autoJob());
    await offline(true);
    try {
      await startWorkers(1, { leaseMs: 2_000 });
      expect(await begun(backupId)).toMatchObject({ status: 'PENDING', connection: 'lost' });
      const ended = async () => (await of(backupId))[0]?.status !== 'PENDING';
      await waitFor(ended, { describe: 'the verification to be given up', timeoutMs: 20_000 });
      expect(await of(backupId)).toMatchObject([
        { status: 'SKIPPED', errorCode: 'COMMAND_EXPIRED', reason: expect.stringContaining('in time') },
      ]);
      expect(await scene.detail(backupId)).toMatchObject({ verificationStatus: null });
    } finally {
      await offline(false);
      await stopWorkers();
    }
  }, 60_000);
});

describe('a verification over real sockets', () => {
  let api: RunningApi;
  let scene: BackupScene;
  let scripted: ScriptedAgent;
  let page: Socket;
  const heard: { event: string; status?: string; progress?: number }[] = [];

  beforeAll(async () => {
    api = await startApi({ config: CONFIG });
    scene = await BackupScene.create(api);
    scripted = await enrolledAgent(api, scene.owner);
    page = io(api.url, {
      auth: { token: scene.owner.accessToken },
      extraHeaders: { origin: api.url },
      transports: ['websocket'],
      forceNew: true,
    });
    page.onAny((event: string, payload: object) => heard.push({ event, ...payload }));
    await waitFor(() => page.connected, { describe: 'the page to be connected' });
  }, 60_000);
  afterAll(async () => {
    page?.disconnect();
    scripted?.disconnect();
    await api?.stop();
  });

  it('reaches an agent that comes back, and the pages of people', async () => {
    const jobId = await scene.job();
    const { backupId } = await scene.succeeded(jobId);
    // From here on the backup is the scripted agent's, which is away.
    await scene.sql(`UPDATE backups SET agent_id = $2, verify_after = 'BASIC' WHERE id = $1`, [backupId, scripted.id]);
    const pending = async () => heard.some(({ event, status }) => event === 'verification:started' && status === 'PENDING');
    await waitFor(pending, { describe: 'the page to hear of the start', timeoutMs: 20_000 });
    expect(scripted.commands).toEqual([]);
    await scripted.connect();
    const isOrder = (command: CommandEnvelope): boolean => command.type === 'verification:execute';
    const command = (await waitFor(() => scripted.commands.find(isOrder), {
      describe: 'the command',
      timeoutMs: 20_000,
    })) as CommandEnvelope<'verification:execute'>;
    const report = { commandId: command.commandId, fence: command.fence };
    const progress = { progress: 50, currentStep: 'frames', bytesRead: 1, bytesStored: 0, bytesPerSecond: 1, etaSeconds: null };
    const beat = await scripted.report('heartbeat', { running: [{ ...report, resource: command.resource }] });
    expect(beat.stop).toEqual([]);
    // Progress wants no answer.
    await scripted.send('verification:progress', { ...report, ...progress });
    await scripted.report('verification:completed', {
      ...report,
      verificationId: command.payload.verificationId,
      status: 'PASSED',
      reason: null,
      checks: passedChecks('BASIC'),
      tables: [],
      tablesTotal: null,
      tablesEqual: null,
      restoreMs: null,
      ...EMPTY_WORDS,
    });
    const done = async () => heard.some(({ event, status }) => event === 'verification:completed' && status === 'PASSED');
    await waitFor(done, { describe: 'the page to hear of the end', timeoutMs: 20_000 });
    expect(heard).toContainEqual(expect.objectContaining({ event: 'verification:progress', progress: 50, historyId: backupId }));
    const stale = await scripted.report('heartbeat', { running: [{ ...report, resource: command.resource }] });
    expect(stale.stop).toEqual([command.commandId]);
  }, 60_000);
});
