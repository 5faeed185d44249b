import { randomUUID } from 'node:crypto';
import type { BackupPayload, DatabaseView, ErrorBody, JobView, SealedSecret } from '@rahatback/contracts';
import { openSealed } from '@rahatback/crypto';
import { CanarySet } from '@rahatback/testing';
import { startApi, type RunningApi } from '../../testing/start-api.js';
import { BackupScene, DoorAgent, refusalOf } from '../backups/testing/backup-scene.js';

const PASSPHRASE = 'sarı bulut yedi merdiven';

/** A database whose agent is lost, and the one that takes it over. */
describe('a database that goes to another agent', () => {
  let api: RunningApi;
  let scene: BackupScene;
  const canaries = new CanarySet();

  beforeAll(async () => {
    api = await startApi({ config: { watchdogIntervalMs: 200, leaseMs: 60_000 } });
  }, 60_000);
  afterAll(() => api.stop());
  beforeEach(async () => {
    scene = await BackupScene.create(api);
  });

  const newcomer = async (): Promise<DoorAgent> => {
    const agent = new DoorAgent(api, scene.owner.workspaceId);
    await scene.insertAgent(agent);
    return agent;
  };
  const rebind = (body: object, token = scene.owner.accessToken) =>
    api.call('POST', `/v1/databases/${scene.databaseId}/rebind`, { token, body }) as Promise<{
      status: number;
      body: DatabaseView & ErrorBody;
    }>;
  const newestOrder = async (agent: DoorAgent): Promise<{ fence: number; payload: BackupPayload }> => {
    const sql = `SELECT fence::int, payload FROM commands WHERE agent_id = $1 AND type = 'job:execute' ORDER BY sequence DESC`;
    const [row] = await scene.sql(sql, [agent.id]);
    const [fence, payload] = row as [number, BackupPayload];
    return { fence, payload };
  };
  const setPassword = (password: string) => scene.call('PATCH', `/v1/databases/${scene.databaseId}`, { password });
  const passwordOf = async (): Promise<SealedSecret> =>
    (await scene.sql('SELECT password FROM databases WHERE id = $1', [scene.databaseId]))[0]?.[0] as SealedSecret;
  const openedBy = (agent: DoorAgent, { enc, ciphertext, purpose, subject, version }: SealedSecret): Promise<Buffer> =>
    openSealed({
      recipientPrivateKey: agent.sealing.privateKey,
      agentId: agent.id,
      purpose,
      subject,
      version,
      sealed: { enc, ciphertext },
    });

  it('has its password typed again, sealed to the new one only', async () => {
    await setPassword(canaries.make('database-password'));
    const agent = await newcomer();
    expect(await rebind({ agentId: agent.id })).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION', details: { fields: { password: [expect.any(String)] } } },
    });
    const password = canaries.make('database-password');
    const { status, body } = await rebind({ agentId: agent.id, password, host: '10.0.0.7', port: 6432 });
    expect([status, body]).toEqual([
      200,
      expect.objectContaining({ agentId: agent.id, host: '10.0.0.7', port: 6432, hasPassword: true, serverVersion: null }),
    ]);
    const sealed = await passwordOf();
    expect((await openedBy(agent, sealed)).toString()).toBe(password);
    await expect(openedBy(scene.agent, sealed)).rejects.toThrow();
    const audit = await scene.sql(`SELECT detail FROM audit_events WHERE action = 'database.rebound' AND target_id = $1`, [
      scene.databaseId,
    ]);
    expect(audit).toEqual([[{ fromAgentId: scene.agent.id, toAgentId: agent.id }]]);
    expect(canaries.find(JSON.stringify([body, audit, sealed]), 'answer, audit and row')).toEqual([]);
    expect(await rebind({ agentId: agent.id, password })).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
  });

  it('begins a new chain with its next backup, made by the new agent', async () => {
    const jobId = await scene.job({ backupType: 'incremental' });
    await scene.succeeded(jobId);
    const second = await scene.succeeded(jobId);
    expect(second.command.payload.base).toHaveLength(1);
    const agent = await newcomer();
    expect((await rebind({ agentId: agent.id })).status).toBe(200);
    const { backupId } = await scene.started(jobId);
    const command = await newestOrder(agent);
    expect(command.payload).toMatchObject({ base: [], location: { backupType: 'full' } });
    expect(command.payload.chainId).not.toBe(second.command.payload.chainId);
    expect(command.fence).toBeGreaterThan(second.command.fence + 1);
    expect(command.payload.location.backupId).toBe(backupId);
    const [row] = await scene.sql('SELECT agent_id FROM backups WHERE id = $1', [backupId]);
    expect(row).toEqual([agent.id]);
  });

  it('has all its passphrases typed again, and is refused with the jobs that were left out', async () => {
    const create = async (name: string): Promise<JobView> =>
      (
        await scene.call<JobView>('POST', '/v1/backups/jobs', {
          databaseId: scene.databaseId,
          name,
          isEncrypted: true,
          encryptionPassword: PASSPHRASE,
        })
      ).body;
    const first = await create('first');
    const second = await create('second');
    const plain = await scene.job();
    const agent = await newcomer();
    const again = (jobId: string) => ({ jobId, encryptionPassword: PASSPHRASE });
    expect(await rebind({ agentId: agent.id })).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    const partly = await rebind({ agentId: agent.id, passphrases: [again(first.id)] });
    expect(partly).toMatchObject({ status: 409, body: { details: { jobs: [{ jobId: second.id, name: 'second' }] } } });
    const all = [again(first.id), again(second.id)];
    for (const wrong of [
      [...all, again(plain)],
      [...all, again(first.id)],
      [...all, again(randomUUID())],
    ]) {
      expect(await rebind({ agentId: agent.id, passphrases: wrong })).toMatchObject({
        status: 400,
        body: { code: 'VALIDATION' },
      });
    }
    const weak = [again(first.id), { jobId: second.id, encryptionPassword: 'password1234' }];
    expect(await rebind({ agentId: agent.id, passphrases: weak })).toMatchObject({ body: { code: 'PASSPHRASE_WEAK' } });
    expect((await scene.call<DatabaseView>('GET', `/v1/databases/${scene.databaseId}`)).body.agentId).toBe(scene.agent.id);

    expect((await rebind({ agentId: agent.id, passphrases: all })).status).toBe(200);
    for (const { id } of [first, second]) {
      const [row] = await scene.sql('SELECT passphrase, passphrase_version FROM jobs WHERE id = $1', [id]);
      const [passphrase, version] = row as [{ kek: SealedSecret }, number];
      expect(version).toBe(2);
      expect(await openedBy(agent, passphrase.kek)).toHaveLength(32);
    }
  }, 60_000);

  it('waits for running work, and what the old agent still has counts no more', async () => {
    const jobId = await scene.job();
    const run = await scene.started(jobId);
    const agent = await newcomer();
    expect(await rebind({ agentId: agent.id })).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    await scene.agent.fail(run.command, 'DB_PRIVILEGE');
    // Something is still on its way to the old agent, and a lease has not been looked at.
    const resource = `backup:${jobId}`;
    await scene.sql(`UPDATE commands SET state = 'sent', ended_at = NULL WHERE resource = $1`, [resource]);
    const fenceOf = async (): Promise<number> =>
      Number((await scene.sql('SELECT fence FROM leases WHERE resource = $1', [resource]))[0]?.[0]);
    const before = await fenceOf();
    expect((await rebind({ agentId: agent.id })).status).toBe(200);
    expect(await fenceOf()).toBe(before + 1);
    expect(await scene.sql('SELECT DISTINCT state FROM commands WHERE resource = $1', [resource])).toEqual([['cancelled']]);
    expect(await refusalOf(scene.agent.say('upload:begin', { ...scene.agent.report(run.command), object: 'index' }))).not.toBe(
      'none',
    );
  });

  it('never runs with the old agent when a run and the move come together', async () => {
    const agents = [scene.agent, await newcomer(), await newcomer(), await newcomer()];
    for (const agent of agents.slice(1)) {
      const jobs = await Promise.all(Array.from({ length: 4 }, () => scene.job()));
      const [moved] = await Promise.all([rebind({ agentId: agent.id }), ...jobs.map((jobId) => scene.run(jobId))]);
      const running = await scene.sql(`SELECT DISTINCT agent_id FROM backups WHERE database_id = $1 AND status = 'running'`, [
        scene.databaseId,
      ]);
      const [row] = await scene.sql('SELECT agent_id FROM databases WHERE id = $1', [scene.databaseId]);
      expect([200, 409]).toContain(moved.status);
      for (const [agentId] of running) expect(agentId).toBe(row?.[0]);
      await scene.sql(`UPDATE backups SET status = 'failed' WHERE database_id = $1`, [scene.databaseId]);
    }
  }, 60_000);

  it('goes only to an agent that is there, by an owner or admin who has just typed their password', async () => {
    const agent = await newcomer();
    await scene.sql('UPDATE agents SET session_id = NULL WHERE id = $1', [agent.id]);
    expect(await rebind({ agentId: agent.id })).toMatchObject({ status: 503, body: { code: 'AGENT_OFFLINE' } });
    await scene.sql(`UPDATE agents SET state = 'revoked' WHERE id = $1`, [agent.id]);
    expect(await rebind({ agentId: agent.id })).toMatchObject({ status: 401, body: { code: 'AGENT_REVOKED' } });
    const stranger = await BackupScene.create(api);
    expect((await rebind({ agentId: stranger.agent.id })).status).toBe(404);
    expect((await rebind({ agentId: agent.id }, stranger.owner.accessToken)).status).toBe(404);
    await scene.sql(`UPDATE refresh_tokens SET created_at = created_at - interval '1 hour' WHERE user_id = $1`, [
      scene.owner.userId,
    ]);
    const renewed = await api.call('POST', '/v1/auth/refresh', { body: { refreshToken: scene.owner.refreshToken } });
    const { accessToken } = renewed.body as { accessToken: string };
    expect(await rebind({ agentId: agent.id }, accessToken)).toMatchObject({ status: 403, body: { code: 'STEP_UP_REQUIRED' } });
    await scene.sql(`UPDATE memberships SET role = 'operator' WHERE user_id = $1`, [scene.owner.userId]);
    expect(await rebind({ agentId: agent.id })).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
  });
});
