import { waitFor } from '@rahatback/testing';
import type { RunningApi } from '../../testing/start-api.js';
import { startApi } from '../../testing/start-api.js';
import { BackupScene, refusalOf } from '../backups/testing/backup-scene.js';
import { failedAt, VerificationTalk } from './testing/verification-scene.js';

describe('a chain', () => {
  let api: RunningApi;
  let scene: BackupScene;
  let talk: VerificationTalk;

  beforeAll(async () => {
    api = await startApi({ config: { watchdogIntervalMs: 200, leaseMs: 60_000 } });
    scene = await BackupScene.create(api);
    talk = new VerificationTalk(scene);
  }, 60_000);
  afterAll(() => api.stop());

  const chainOf = async (length: number, backupType = 'incremental') => {
    const jobId = await scene.job({ backupType });
    const links = [];
    for (let link = 0; link < length; link += 1) links.push((await scene.succeeded(jobId)).backupId);
    return { jobId, links };
  };
  const remove = (id = '') => scene.call<{ code?: string }>('DELETE', `/v1/backups/history/${id}`);
  const damageOf = async (id = ''): Promise<string | null> => (await scene.detail(id)).damage;

  it('has its links read by a verification, and kept until that has ended', async () => {
    const { links } = await chainOf(3);
    const [full = '', second = '', third = ''] = links;
    const command = await talk.begun(third, 'FULL');
    expect(command.payload.links.map((link) => link.backupId)).toEqual([full, second]);
    const read = { ...scene.agent.report(command), location: command.payload.links[1], object: 'index' };
    expect(await refusalOf(scene.agent.say('download:open', read))).toBe('none');
    expect((await remove(third)).body.code).toBe('ALREADY_RUNNING');
    for (const link of [second, full]) expect((await remove(link)).body.code).toBe('CHAIN_IN_USE');
    await talk.complete(command);
    expect((await remove(third)).status).toBe(202);
  });

  it.each(['incremental', 'differential'])('of %s backups is deleted from its newest end only', async (backupType) => {
    const [full, second, third] = (await chainOf(3, backupType)).links;
    expect((await remove(full)).body).toMatchObject({ code: 'CHAIN_IN_USE', details: { dependentId: third } });
    const middle = await remove(second);
    if (backupType === 'incremental') {
      expect(middle.body).toMatchObject({ code: 'CHAIN_IN_USE', details: { dependentId: third } });
      for (const link of [third, second, full]) expect((await remove(link)).status).toBe(202);
    } else {
      // A differential points into its full alone: nobody needs the middle one.
      expect(middle.status).toBe(202);
      expect((await remove(full)).body.code).toBe('CHAIN_IN_USE');
      for (const link of [third, full]) expect((await remove(link)).status).toBe(202);
    }
    const gone = async () => (await scene.call('GET', `/v1/backups/history/${full}`)).status === 404;
    await waitFor(gone, { describe: 'the chain to be gone' });
  });

  it('with a damaged link is built on no more: the next backup is a full that says why', async () => {
    const { jobId, links } = await chainOf(2);
    const [full = '', second = ''] = links;
    await talk.verified(second, 'BASIC', {
      status: 'FAILED',
      reason: 'A link is damaged.',
      checks: failedAt('chain', { backupId: full, object: 'data-00001' }),
    });
    expect(await damageOf(full)).toBe('data-00001: It is not what was written.');
    expect(await damageOf(second)).toBe('data-00001: It is not what was written.');
    expect((await scene.detail(full)).verificationStatus).toBeNull();
    const { startedAt } = await scene.detail(full);
    const next = await scene.succeeded(jobId);
    expect(next.command.payload).toMatchObject({ base: [], location: { backupType: 'full' } });
    const detail = await scene.detail(next.backupId);
    expect(detail).toMatchObject({ backupType: 'full', baseBackupId: null });
    expect(detail.attempts[0]?.steps[0]).toMatchObject({
      name: 'full backup',
      detail: `link ${startedAt} of the chain is damaged`,
    });
    const after = await scene.started(jobId);
    expect(after.command.payload.base.map((link) => link.backupId)).toEqual([next.backupId]);
  });

  it('is whole again when the damaged links have passed', async () => {
    const { jobId, links } = await chainOf(2);
    const [full = '', second = ''] = links;
    await talk.verified(second, 'BASIC', { status: 'FAILED', checks: failedAt('chain', { backupId: full, object: 'index' }) });
    await talk.verified(full, 'BASIC');
    expect([await damageOf(full), await damageOf(second)]).toEqual([null, 'index: It is not what was written.']);
    await talk.verified(second, 'BASIC');
    expect((await scene.started(jobId)).command.payload.base.map((link) => link.backupId)).toEqual(links);
  });

  it('lets an agent damage by its word only what its command gave it to read', async () => {
    const [one, other] = [await chainOf(1), await chainOf(1)];
    const [backupId = ''] = one.links;
    const [stranger = ''] = other.links;
    await talk.verified(backupId, 'BASIC', {
      status: 'FAILED',
      checks: failedAt('chain', { backupId: stranger, object: 'index' }),
    });
    expect(await damageOf(stranger)).toBeNull();
    expect(await damageOf(backupId)).toContain('index');
  });

  it('begins anew, and is built on, when an agent answers with a full of its own', async () => {
    const { jobId, links } = await chainOf(2);
    const third = await scene.started(jobId);
    expect(third.command.payload.base).toHaveLength(2);
    const ownChain = '0190a000-0000-7000-8000-0000000000aa';
    const { payload } = third.command;
    const location = { ...payload.location, backupType: 'full' as const };
    await scene.agent.completeBackup({ ...third.command, payload: { ...payload, location, chainId: ownChain, base: [] } });
    expect(await scene.detail(third.backupId)).toMatchObject({
      status: 'success',
      backupType: 'full',
      chainId: ownChain,
      baseBackupId: null,
    });
    const position = await scene.sql('SELECT chain_position FROM backups WHERE id = $1', [third.backupId]);
    expect(position).toEqual([[1]]);
    const next = await scene.succeeded(jobId);
    expect(next.command.payload).toMatchObject({ chainId: ownChain, base: [{ backupId: third.backupId, backupType: 'full' }] });
    expect(await scene.detail(next.backupId)).toMatchObject({ chainId: ownChain, baseBackupId: third.backupId });
    // The old chain is free to go; the new one holds.
    expect((await remove(links[1])).status).toBe(202);
    expect((await remove(third.backupId)).body.code).toBe('CHAIN_IN_USE');
  });
});
