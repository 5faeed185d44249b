import { randomUUID } from 'node:crypto';
import type {
  BackupKeysView,
  PreflightAnswer,
  PreflightFinding,
  PreflightPayload,
  RestorePayload,
  RewrapPayload,
  SealedSecret,
} from '@rahatback/contracts';
import { openSealed, openWithAgentKey, parseKeysFile, sealSecret } from '@rahatback/crypto';
import type { RunningApi } from '../../testing/start-api.js';
import { startApi } from '../../testing/start-api.js';
import { DoorAgent, refusalOf, type SentCommand } from '../backups/testing/backup-scene.js';
import { RestoreScene } from './testing/restore-scene.js';

const DEK = Buffer.alloc(32, 7).toString('base64');

/** A backup that one agent made, wanted on the server of another. */
describe('a restore elsewhere', () => {
  let api: RunningApi;
  let scene: RestoreScene;
  let other: { id: string; agent: DoorAgent };

  beforeAll(async () => {
    api = await startApi({ config: { watchdogIntervalMs: 200, leaseMs: 60_000 } });
    scene = await RestoreScene.create(api);
    other = await scene.otherDatabase();
  }, 60_000);
  afterAll(() => api.stop());

  const sealedFor = async (agent: DoorAgent, plaintext = DEK): Promise<{ enc: string; ciphertext: string }> => {
    const binding = { agentId: agent.id, purpose: 'backup-key', subject: scene.backupId, version: 1 };
    return sealSecret({ ...binding, recipientPublicKey: agent.sealPublicKey, plaintext });
  };
  const opened = async (agent: DoorAgent, { enc, ciphertext, purpose, subject, version }: SealedSecret): Promise<string> => {
    const recipientPrivateKey = agent.sealing.privateKey;
    const request = { recipientPrivateKey, agentId: agent.id, purpose, subject, version, sealed: { enc, ciphertext } };
    return (await openSealed(request)).toString();
  };
  const sealedOf = async (commandId: string): Promise<SealedSecret[]> =>
    (await scene.sql('SELECT sealed FROM commands WHERE id = $1', [commandId]))[0]?.[0] as SealedSecret[];
  const rewrapOf = (restoreId: string) => scene.newest<RewrapPayload>('keys:rewrap', `rewrap:${restoreId}`);
  const answerKey = (command: SentCommand<RewrapPayload>, fields: object): Promise<unknown> =>
    scene.agent.say('keys:rewrap:result', { ...scene.agent.report(command), ...fields });
  const orders = async (restoreId: string): Promise<number> =>
    Number(
      (
        await scene.sql(`SELECT count(*) FROM commands WHERE type = 'restore:execute' AND payload->>'restoreId' = $1`, [
          restoreId,
        ])
      )[0]?.[0],
    );

  it('is refused for a database of another engine, or of another workspace', async () => {
    const mysql = await scene.otherDatabase('mysql');
    expect(await scene.restore({ targetDatabaseId: mysql.id })).toMatchObject({ status: 400, body: { code: 'ENGINE_MISMATCH' } });
    const stranger = await RestoreScene.create(api);
    expect(await scene.restore({ targetDatabaseId: stranger.base.databaseId })).toMatchObject({ status: 404 });
    expect(await scene.restore({ targetDatabaseId: 'x' })).toMatchObject({ status: 400, body: { code: 'VALIDATION' } });
  });

  it('begins when the maker has sealed its key to the other agent, which alone opens it', async () => {
    const { status, body } = await scene.restore({ targetDatabaseId: other.id });
    expect([status, body.message]).toEqual([201, expect.stringContaining('asked for the key')]);
    const id = body.restoreHistoryId;
    const waiting = await scene.view(id);
    expect(waiting).toMatchObject({ status: 'running', databaseId: scene.base.databaseId, targetDatabaseId: other.id });
    expect(waiting.targetDatabase).toMatch(/^warehouse_restored_/);
    expect(waiting.steps.map(({ name }) => name)).toEqual(['key hand-over']);
    expect(await orders(id)).toBe(0);
    const rewrap = await rewrapOf(id);
    expect(rewrap.payload).toMatchObject({
      backup: { backupId: scene.backupId },
      forAgentId: other.agent.id,
      signPublicKey: other.agent.signing.publicKey,
      sealPublicKey: other.agent.sealPublicKey,
    });
    // The maker reads the keys through this command, and only while it is open.
    const read = { ...scene.agent.report(rewrap), location: rewrap.payload.backup, object: 'keys-1.json' };
    expect(await refusalOf(scene.agent.say('download:open', read))).toBe('none');
    expect(await refusalOf(other.agent.say('download:open', read))).toBe('NOT_FOUND');
    // What the agent says about the use of the secret is not believed.
    const sealed = { ...(await sealedFor(other.agent)), ref: 'x', purpose: 'database-password', subject: 'y', version: 9 };
    expect(await refusalOf(answerKey(rewrap, { sealed: { enc: '{}', ciphertext: 'x' } }))).toBe('WS_BAD_FRAME');
    await answerKey(rewrap, { sealed });
    await answerKey(rewrap, { sealed });
    expect(await orders(id)).toBe(1);
    expect(await refusalOf(scene.agent.say('download:open', read))).toBe('FENCED');
    const order = await scene.base.command<RestorePayload>('restore:execute', `restore:${other.id}/${waiting.targetDatabase}`);
    expect(order.payload).toMatchObject({
      keyRef: `backup-key:${scene.backupId}@1`,
      signedBy: {
        agentId: scene.agent.id,
        signPublicKey: scene.agent.signing.publicKey,
        sealPublicKey: scene.agent.sealPublicKey,
      },
      connection: { database: 'warehouse' },
      parallelism: 0,
    });
    const [secret] = await sealedOf(order.id);
    expect(secret && (await opened(other.agent, secret))).toBe(DEK);
    await scene.complete(id, other.agent);
    expect(await scene.view(id)).toMatchObject({ status: 'success' });
    expect((await scene.view(id)).steps.map(({ name }) => name)).toEqual(['key hand-over', 'key handed over']);
    expect(await sealedOf(order.id)).toEqual([]);
  });

  it('ends when the key is refused, is not taken in time, or nobody wants it any more', async () => {
    const refused = (await scene.restore({ targetDatabaseId: other.id, targetDatabase: 'w1' })).body.restoreHistoryId;
    const error = { code: 'AGENT_POLICY_REFUSED', message: 'Run: rahatback-agent trust a b c d e f' };
    await answerKey(await rewrapOf(refused), { error });
    expect(await scene.view(refused)).toMatchObject({
      status: 'failed',
      errorCode: 'AGENT_POLICY_REFUSED',
      errorMessage: expect.stringContaining('rahatback-agent trust'),
    });
    const late = (await scene.restore({ targetDatabaseId: other.id, targetDatabase: 'w2' })).body.restoreHistoryId;
    const command = await rewrapOf(late);
    await scene.agent.say('command:refused', {
      ...scene.agent.report(command),
      error: { code: 'COMMAND_EXPIRED', message: 'Late.' },
    });
    expect(await scene.view(late)).toMatchObject({ status: 'failed', errorCode: 'COMMAND_EXPIRED' });
    const cancelled = (await scene.restore({ targetDatabaseId: other.id, targetDatabase: 'w3' })).body.restoreHistoryId;
    expect((await scene.call('POST', `/v1/restores/${cancelled}/cancel`)).status).toBe(200);
    await answerKey(await rewrapOf(cancelled), { sealed: await sealedFor(other.agent) });
    expect(await scene.view(cancelled)).toMatchObject({ status: 'cancelled' });
    for (const id of [refused, late, cancelled]) expect(await orders(id)).toBe(0);
  });

  it('without its maker needs the key from the recovery identity, which the keys file is given out for', async () => {
    await scene.offline(scene.agent, async () => {
      const target = { targetDatabaseId: other.id, targetDatabase: 'w4' };
      const without = await scene.restore(target);
      expect(without).toMatchObject({ status: 503, body: { code: 'AGENT_OFFLINE' } });
      expect(without.body.message).toMatch(/Start that agent, or .*recovery identity.*sealedKey/);
      const { status, body } = await scene.call<BackupKeysView>(
        'GET',
        `/v1/backups/history/${scene.backupId}/keys?targetDatabaseId=${other.id}`,
      );
      expect(status).toBe(200);
      expect(body).toMatchObject({
        maker: { agentId: scene.agent.id, signPublicKey: scene.agent.signing.publicKey },
        receiver: { agentId: other.agent.id, sealPublicKey: other.agent.sealPublicKey },
        binding: { agentId: other.agent.id, purpose: 'backup-key', subject: scene.backupId, version: 1 },
      });
      const dek = await openWithAgentKey(parseKeysFile(Buffer.from(body.keysFile)), scene.agent.sealing.privateKey);
      const sealedKey = await sealSecret({
        ...body.binding,
        recipientPublicKey: body.receiver.sealPublicKey,
        plaintext: dek.toString('base64'),
      });
      expect(await scene.restore({ ...target, sealedKey })).toMatchObject({ status: 201 });
      const order = await scene.base.command<RestorePayload>('restore:execute', `restore:${other.id}/w4`);
      const [secret] = await sealedOf(order.id);
      expect(secret && (await opened(other.agent, secret))).toBe(dek.toString('base64'));
      expect(order.payload.signedBy?.agentId).toBe(scene.agent.id);
    });
    expect(await scene.audited(scene.backupId)).toContain('backup.keys_read');
    const { token } = await scene.colleague('viewer');
    const path = `/v1/backups/history/${scene.backupId}/keys`;
    expect(await scene.call('GET', path, { token })).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
    const stranger = await RestoreScene.create(api);
    expect((await stranger.call('GET', path)).status).toBe(404);
  });

  describe('asked about before', () => {
    const ask = (body: object) =>
      scene.call<PreflightAnswer>('POST', `/v1/backups/history/${scene.backupId}/restore/preflight`, { body });
    const newestFor = async (agent: DoorAgent) => scene.newest<PreflightPayload>('restore:preflight', `preflight:${agent.id}`);
    const findings: PreflightFinding[] = [
      { subject: 'roles', severity: 'warning', message: 'Role reporting is missing.', details: { roles: ['reporting'] } },
      { subject: 'space', severity: 'ok', message: '12 GB free.' },
    ];
    const answers = async (agent: DoorAgent, fields: object): Promise<PreflightPayload> => {
      const command = await newestFor(agent);
      await agent.say('restore:preflight:result', { ...agent.report(command), findings: [], ...fields });
      return command.payload;
    };
    beforeEach(() => scene.sql(`DELETE FROM commands WHERE type IN ('restore:preflight', 'keys:rewrap')`));

    it('tells what the agent finds, and what the server knows', async () => {
      const asked = ask({ mode: 'swap' });
      const payload = await answers(scene.agent, { findings });
      expect(payload).toMatchObject({ liveDatabase: 'shop', keyRef: null, selection: [] });
      const { status, body } = await asked;
      expect([status, body.ready, body.targetDatabase]).toEqual([200, true, payload.targetDatabase]);
      expect(body.findings).toEqual([expect.objectContaining({ subject: 'key', severity: 'ok' }), ...findings]);

      await scene.sql(
        `UPDATE backups SET damage = 'data-00001 is missing.', verification_status = 'FAILED', verified_at = now() WHERE id = $1`,
        [scene.backupId],
      );
      await scene.sql(`DELETE FROM commands WHERE type = 'restore:preflight'`);
      const again = ask({});
      const blocker = { subject: 'extensions', severity: 'blocker', message: 'postgis is missing.' };
      expect((await answers(scene.agent, { findings: [blocker] })).liveDatabase).toBeNull();
      await scene.sql(`UPDATE backups SET damage = NULL, verification_status = NULL WHERE id = $1`, [scene.backupId]);
      const worse = (await again).body;
      expect(worse.ready).toBe(false);
      expect(worse.findings.map(({ subject, severity }) => `${subject} ${severity}`)).toEqual([
        'backup warning',
        'backup warning',
        'key ok',
        'extensions blocker',
      ]);
      expect(worse.findings[0]?.message).toContain('data-00001 is missing.');
    });

    it('of another agent goes through the same hand-over; a key that cannot be had is a blocker', async () => {
      const asked = ask({ targetDatabaseId: other.id });
      const rewrap = await scene.newest<RewrapPayload>('keys:rewrap', 'rewrap:preflight:%');
      await answerKey(rewrap, { sealed: await sealedFor(other.agent) });
      const payload = await answers(other.agent, { findings });
      expect(payload).toMatchObject({ keyRef: `backup-key:${scene.backupId}@1`, signedBy: { agentId: scene.agent.id } });
      expect((await asked).body).toMatchObject({ ready: true });
      await scene.sql(`DELETE FROM commands WHERE type IN ('restore:preflight', 'keys:rewrap')`);
      const refused = ask({ targetDatabaseId: other.id });
      const second = await scene.newest<RewrapPayload>('keys:rewrap', 'rewrap:preflight:%');
      await answerKey(second, { error: { code: 'AGENT_POLICY_REFUSED', message: 'Trust it first.' } });
      expect((await refused).body).toMatchObject({
        ready: false,
        findings: [{ subject: 'key', severity: 'blocker', message: 'Trust it first.' }],
      });
      const away = await scene.offline(scene.agent, () => ask({ targetDatabaseId: other.id }));
      expect(away.body).toMatchObject({ ready: false, findings: [{ subject: 'key', severity: 'blocker' }] });
    });

    it('needs the agent, passes its error on, and takes no bad frame', async () => {
      expect(await scene.offline(scene.agent, () => ask({}))).toMatchObject({ status: 503, body: { code: 'AGENT_OFFLINE' } });
      const asked = ask({});
      const command = await newestFor(scene.agent);
      const say = (fields: object) =>
        refusalOf(scene.agent.say('restore:preflight:result', { ...scene.agent.report(command), findings: [], ...fields }));
      expect(await say({ findings: [{ subject: 'weather', severity: 'ok', message: '' }] })).toBe('WS_BAD_FRAME');
      expect(await say({ findings: 'none' })).toBe('WS_BAD_FRAME');
      expect(await say({ error: { code: 'DB_AUTH_FAILED', message: 'The password is wrong.' } })).toBe('none');
      expect(await asked).toMatchObject({ status: 422, body: { code: 'DB_AUTH_FAILED' } });
      expect(await ask({ targetDatabase: 'shop' })).toMatchObject({ status: 409, body: { code: 'RESTORE_TARGET_LIVE' } });
      expect((await scene.call('POST', `/v1/backups/history/${randomUUID()}/restore/preflight`, { body: {} })).status).toBe(404);
    });
  });
});
