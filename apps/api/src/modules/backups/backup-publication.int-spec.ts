import type { BackupPayload } from '@rahatback/contracts';
import { generateRecoveryIdentity, generateSigningKeyPair } from '@rahatback/crypto';
import { counterSign, parseManifest, signAsAgent, verifyManifest } from '@rahatback/backup-core/manifest';
import { waitFor } from '@rahatback/testing';
import { buffer } from 'node:stream/consumers';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import type { RunningApi } from '../../testing/start-api.js';
import { startApi } from '../../testing/start-api.js';
import { acceptManifest } from './manifest-acceptance.js';
import { BackupScene, refusalOf } from './testing/backup-scene.js';
import { handMadeBackup, type HandMadeAgent } from './testing/hand-made-backup.js';

describe('publishing a backup', () => {
  let api: RunningApi;
  let scene: BackupScene;

  beforeAll(async () => {
    api = await startApi({ config: { watchdogIntervalMs: 200 } });
    scene = await BackupScene.create(api);
  }, 60_000);
  afterAll(() => api.stop());

  const prepared = async () => {
    const jobId = await scene.job();
    const run = await scene.started(jobId);
    return { ...run, jobId, made: await scene.agent.uploadAll(run.command) };
  };

  const storedManifest = async (backupId: string, fence: number): Promise<Buffer> => {
    const key = `${scene.owner.workspaceId}/${scene.databaseId}/${backupId}/${fence}/manifest.json`;
    return buffer(await (await scene.backend()).read(key));
  };

  it('stores what the agent signed and the server counter-signed', async () => {
    const { backupId, command, made } = await prepared();
    await scene.agent.publishManifest(command, made);
    const manifest = parseManifest(await storedManifest(backupId, command.fence));
    const keys = {
      agentPublicKey: scene.agent.signing.publicKey,
      serverPublicKey: api.app.get(ServerKeys).manifestKey.publicKeyBase64,
    };
    expect(() => verifyManifest(manifest, keys)).not.toThrow();
    expect((await scene.detail(backupId)).status).toBe('success');
  });

  it('answers the same bytes alike, and refuses others for ever', async () => {
    const { backupId, command, made } = await prepared();
    const first = await scene.agent.publishManifest(command, made);
    const before = await storedManifest(backupId, command.fence);
    expect(await scene.agent.publishManifest(command, made)).toEqual(first);
    const other = { manifest: signAsAgent({ ...made.body, dumpBytes: made.body.dumpBytes + 1 }, scene.agent.signPrivateKey) };
    expect(await refusalOf(scene.agent.publishManifest(command, other))).toBe('OBJECT_EXISTS');
    expect(await storedManifest(backupId, command.fence)).toEqual(before);
  });

  it('lets one of two publishers win, and the loser see it', async () => {
    const { backupId, command, made } = await prepared();
    const other = { manifest: signAsAgent({ ...made.body, writer: 'another' }, scene.agent.signPrivateKey) };
    const answers = await Promise.all(
      [made, other, made, other].map((manifest) => refusalOf(scene.agent.publishManifest(command, manifest))),
    );
    const won = answers.filter((code) => code === 'none').length;
    expect(won).toBe(2);
    expect(answers.filter((code) => code === 'OBJECT_EXISTS')).toHaveLength(2);
    const writer = parseManifest(await storedManifest(backupId, command.fence)).writer;
    expect(writer).toBe(answers[0] === 'none' ? 'hand-made' : 'another');
    expect((await scene.detail(backupId)).status).toBe('success');
  });

  it('refuses a manifest that is forged, or says another thing than the server saw', async () => {
    const { backupId, command, made } = await prepared();
    const { body } = made;
    const [volume] = body.volumes;
    if (volume === undefined) throw new Error('a backup has a volume');
    const sign = (change: object) => signAsAgent({ ...body, ...change }, scene.agent.signPrivateKey);
    const refused = {
      'another key': signAsAgent(body, generateSigningKeyPair().privateKey),
      'a signature of another text': { ...made.manifest, dumpBytes: 1 },
      'another backup': sign({ backupId: command.payload.jobId }),
      'another workspace': sign({ workspaceId: command.payload.jobId }),
      'another fence': sign({ fence: command.fence + 1 }),
      'another agent': sign({ agentId: command.payload.jobId }),
      'another type': sign({ type: 'incremental' }),
      'another chain': sign({ chain: { id: command.payload.jobId, links: [] } }),
      'a link it was not given': sign({ type: 'differential', chain: { id: body.chain.id, links: [command.payload.jobId] } }),
      'another digest': sign({ volumes: [{ ...volume, sha256: 'cd'.repeat(32) }] }),
      'a volume less': sign({ volumes: [] }),
      'a volume more': sign({ volumes: [volume, { ...volume, name: 'data-00002' }] }),
    };
    for (const [name, manifest] of Object.entries(refused)) {
      expect([name, await refusalOf(scene.agent.publishManifest(command, { manifest }))]).toEqual([name, 'MANIFEST_INVALID']);
    }
    expect((await scene.detail(backupId)).status).toBe('running');
    expect(await scene.stored(backupId)).not.toContain(`${command.fence}/manifest.json`);
    expect(await refusalOf(scene.agent.publishManifest(command, made))).toBe('none');
  });

  it('refuses a manifest while an upload is open or the keys are missing', async () => {
    const { command } = await scene.started(await scene.job());
    const made = await scene.agent.uploadAll(command);
    await scene.sql(`UPDATE backup_objects SET state = 'open' WHERE fence = $2 AND backup_id = $1 AND object = 'index'`, [
      command.payload.location.backupId,
      command.fence,
    ]);
    expect(await refusalOf(scene.agent.publishManifest(command, made))).toBe('MANIFEST_INVALID');
    await scene.sql(`UPDATE backup_objects SET state = 'stored' WHERE backup_id = $1`, [command.payload.location.backupId]);
    await scene.sql(`DELETE FROM backup_objects WHERE object = 'keys-1.json' AND backup_id = $1`, [
      command.payload.location.backupId,
    ]);
    expect(await refusalOf(scene.agent.publishManifest(command, made))).toBe('MANIFEST_INVALID');
    await scene.agent.publish(command, 'keys-1.json', made.keys.toString('base64'));
    expect(await refusalOf(scene.agent.publishManifest(command, made))).toBe('none');
  });

  it('opens an object once, completes it once, and takes no other content under its name', async () => {
    const { backupId, command } = await scene.started(await scene.job());
    const { agent } = scene;
    const begin = { ...agent.report(command), object: 'data-00001' };
    const answers = await Promise.all(Array.from({ length: 5 }, () => agent.say('upload:begin', begin)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(await scene.stored(backupId)).toEqual([`${command.fence}/data-00001 (open)`]);
    const sent = await agent.send(command, 'data-00001', Buffer.alloc(6 * 1024 * 1024, 7));
    const completion = { ...agent.report(command), ...sent };
    expect(await refusalOf(agent.say('upload:complete', { ...completion, sizeBytes: sent.sizeBytes + 1 }))).toBe('PART_INVALID');
    const twice = await Promise.all([agent.say('upload:complete', completion), agent.say('upload:complete', completion)]);
    expect(twice).toMatchObject([{ confirmed: true }, { confirmed: true }]);
    expect(await agent.say('upload:complete', completion)).toEqual({ confirmed: true });
    expect(await refusalOf(agent.say('upload:complete', { ...completion, sha256: 'ef'.repeat(32) }))).toBe('OBJECT_EXISTS');
    expect(await refusalOf(agent.say('upload:begin', begin))).toBe('OBJECT_EXISTS');
    expect(await refusalOf(agent.say('upload:begin', { ...begin, object: '../escape' }))).toBe('WS_BAD_FRAME');
    expect(await refusalOf(agent.say('upload:begin', { ...begin, object: 'manifest.json' }))).toBe('WS_BAD_FRAME');
    const [keys, others] = await Promise.all([
      handMadeBackup(command.payload, agent, 1),
      handMadeBackup(command.payload, agent, 1),
    ]);
    await agent.publish(command, 'keys-1.json', keys.keys.toString('base64'));
    expect(await refusalOf(agent.publish(command, 'keys-1.json', keys.keys.toString('base64')))).toBe('none');
    expect(await refusalOf(agent.publish(command, 'keys-1.json', others.keys.toString('base64')))).toBe('OBJECT_EXISTS');
    await agent.say('upload:begin', { ...begin, object: 'index' });
    await agent.say('upload:abort', agent.report(command));
    expect(await scene.stored(backupId)).toEqual([`${command.fence}/data-00001`, `${command.fence}/keys-1.json`]);
  });

  it('takes no keys that the recovery key, the agent or the passphrase could not open', async () => {
    const { command } = await scene.started(await scene.job());
    const { agent } = scene;
    const keysFor = async (change: Partial<BackupPayload>, holder: HandMadeAgent = agent): Promise<string> =>
      (await handMadeBackup({ ...command.payload, ...change }, holder, 1)).keys.toString('base64');
    const stranger = (await generateRecoveryIdentity()).recipient;
    const refused = {
      'no keys at all': Buffer.from('{}').toString('base64'),
      'another recovery key': await keysFor({ recoveryRecipient: stranger }),
      'another agent': await keysFor(
        {},
        { id: command.payload.jobId, signPrivateKey: agent.signPrivateKey, sealPublicKey: agent.sealPublicKey },
      ),
      'another backup': await keysFor({ location: { ...command.payload.location, backupId: command.payload.jobId } }),
    };
    for (const [name, keys] of Object.entries(refused)) {
      expect([name, await refusalOf(agent.publish(command, 'keys-1.json', keys))]).toEqual([name, 'KEYS_INVALID']);
    }
    expect(await refusalOf(agent.publish(command, 'keys-2.json', await keysFor({})))).toBe('KEYS_INVALID');
    const passphrase = { salt: Buffer.alloc(16).toString('base64'), memoryKib: 65_536, passes: 3, parallelism: 4, kekRef: 'x' };
    const secret = await scene.started(await scene.job());
    await scene.sql(`UPDATE commands SET payload = jsonb_set(payload, '{passphrase}', $2::jsonb) WHERE id = $1`, [
      secret.command.id,
      JSON.stringify(passphrase),
    ]);
    const without = (await handMadeBackup(secret.command.payload, agent, 1)).keys.toString('base64');
    expect(await refusalOf(agent.publish(secret.command, 'keys-1.json', without))).toBe('KEYS_INVALID');
    expect(await refusalOf(agent.publish(command, 'keys-1.json', await keysFor({})))).toBe('none');
  });

  it('is finished by the watchdog when its process died after the manifest was stored', async () => {
    const { backupId, command, made } = await prepared();
    const [row] = await scene.sql('SELECT chain_id FROM backups WHERE id = $1', [backupId]);
    const objects = await scene.sql('SELECT object, size_bytes::float8, sha256 FROM backup_objects WHERE backup_id = $1', [
      backupId,
    ]);
    const { bytes } = acceptManifest(
      Buffer.from(JSON.stringify(made.manifest)),
      {
        backup: {
          id: backupId,
          workspaceId: scene.owner.workspaceId,
          databaseId: scene.databaseId,
          agentId: scene.agent.id,
          backupType: 'full',
          compression: 'none',
          chainId: String(row?.[0]),
          chainPosition: 1,
          baseBackupId: null,
        },
        fence: command.fence,
        objects: objects.map(([object, sizeBytes, sha256]) => ({
          object: String(object),
          state: 'stored',
          sizeBytes: Number(sizeBytes),
          sha256: String(sha256),
        })),
        baseIds: [],
        isOnAgent: false,
        signPublicKey: scene.agent.signing.publicKey,
      },
      api.app.get(ServerKeys).manifestKey,
    );
    const key = `${scene.owner.workspaceId}/${scene.databaseId}/${backupId}/${command.fence}/manifest.json`;
    await (await scene.backend()).putIfAbsent(key, bytes);
    await diedWhilePublishing(backupId);
    await waitFor(async () => (await scene.detail(backupId)).status === 'success', {
      describe: 'the backup to be found published',
    });
    expect(await refusalOf(scene.agent.publishManifest(command, made))).toBe('none');
  });

  it('goes on when its process died before the manifest was stored: it can be published, or cancelled', async () => {
    const { backupId, command, made } = await prepared();
    await diedWhilePublishing(backupId);
    await waitFor(async () => (await scene.sql('SELECT publishing FROM backups WHERE id = $1', [backupId]))[0]?.[0] === false, {
      describe: 'the publication to be given up',
    });
    expect((await scene.detail(backupId)).status).toBe('running');
    expect(await refusalOf(scene.agent.publishManifest(command, made))).toBe('none');
  });

  it('does not let a stored manifest that this server never signed make a backup', async () => {
    const { backupId, command, made } = await prepared();
    const forged = counterSign(made.manifest, generateSigningKeyPair().privateKey);
    const key = `${scene.owner.workspaceId}/${scene.databaseId}/${backupId}/${command.fence}/manifest.json`;
    await (await scene.backend()).putIfAbsent(key, Buffer.from(JSON.stringify(forged)));
    expect(await refusalOf(scene.agent.publishManifest(command, made))).toBe('OBJECT_EXISTS');
    await diedWhilePublishing(backupId);
    await waitFor(async () => (await scene.detail(backupId)).status === 'failed', { describe: 'the forged backup to fail' });
    expect((await scene.detail(backupId)).errorCode).toBe('MANIFEST_INVALID');
    await scene.untilClean(backupId);
    expect(await scene.stored(backupId)).toEqual([]);
  });

  const diedWhilePublishing = (backupId: string): Promise<unknown> =>
    scene.sql(`UPDATE backups SET publishing = true, publishing_at = now() - interval '1 minute' WHERE id = $1`, [backupId]);
});
