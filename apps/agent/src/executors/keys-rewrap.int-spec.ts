import { fingerprint, generateSealKeyPair, openSealed, openWithAgentKey, parseKeysFile } from '@rahatback/crypto';
import type { CommandEnvelope, RewrapResult, SealedSecret, SigningAgent } from '@rahatback/contracts';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentHome } from '../state/agent-home.js';
import { requireEnrolled } from '../state/identity.store.js';
import { runAgent } from '../testing/agent-process.js';
import { BackupWorld } from '../testing/backup-world.js';
import { envelope, PLAIN_READ, type EnrolledAgent } from '../testing/command-factory.js';

jest.setTimeout(120_000);

/** Two real agents, each with a database server and a scripted server of its own; the second is given what the first has stored. */
describe('a key that is handed over', () => {
  let maker: BackupWorld;
  let receiver: BackupWorld;
  let backup: CommandEnvelope<'job:execute'>;

  beforeAll(async () => {
    maker = await BackupWorld.start();
    receiver = await BackupWorld.start();
    const shop = await maker.shop();
    await maker.run();
    await receiver.run();
    backup = await maker.backupCommand(shop);
    await maker.server.send(backup);
    expect((await maker.result(backup)).event).toBe('backup:completed');
    for (const [key, bytes] of maker.server.storage.objects) receiver.server.storage.objects.set(key, bytes);
  });
  afterAll(async () => {
    await maker?.stop();
    await receiver?.stop();
  });

  const publicOf = ({ identity, keys }: EnrolledAgent): SigningAgent => ({
    agentId: identity.agentId,
    signPublicKey: keys.sign.publicKey,
    sealPublicKey: keys.seal.publicKey,
  });
  /** The words as the machine shows them whose server's key is pinned by `at`. */
  const wordsOf = (other: SigningAgent, at: BackupWorld): string =>
    fingerprint({ ...other, serverPublicKey: at.server.agent.identity.commandPublicKey });
  /** The test's own look into a home: the scripted server never sees it. */
  const privateKeyOf = async (world: BackupWorld): Promise<string> =>
    (await requireEnrolled(new AgentHome(world.home))).keys.seal.privateKey;
  const trust = (world: BackupWorld, ...args: string[]) => runAgent(world.home, ['trust', ...args]);

  const rewrap = async (to: SigningAgent): Promise<RewrapResult> => {
    const { agentId: forAgentId, signPublicKey, sealPublicKey } = to;
    const payload = { ...PLAIN_READ, backup: backup.payload.location, links: [], forAgentId, signPublicKey, sealPublicKey };
    const command = envelope(maker.server.agent, 'keys:rewrap', { payload });
    await maker.server.send(command);
    return (await maker.result(command)).message as unknown as RewrapResult;
  };
  const restored = async (targetDatabase: string, fields: { sealed?: SealedSecret; signedBy?: SigningAgent }) => {
    const { sealed, signedBy = null } = fields;
    const command = await receiver.restoreCommand('postgres', {
      backup: backup.payload.location,
      targetDatabase,
      keyRef: sealed?.ref ?? null,
      signedBy,
    });
    const order = { ...command, sealed: [...command.sealed, ...(sealed ? [sealed] : [])] };
    await receiver.server.send(order);
    return receiver.result(order);
  };

  it('goes only to an agent that a person at this machine has trusted, and opens only there', async () => {
    const to = publicOf(receiver.server.agent);
    const words = wordsOf(to, maker);
    const refused = await rewrap(to);
    expect(refused.sealed).toBeUndefined();
    expect(refused.error).toMatchObject({
      code: 'AGENT_POLICY_REFUSED',
      message: expect.stringContaining(`rahatback-agent trust ${words}`),
    });
    expect((await trust(maker, ...words.split(' '), '--label', 'second box')).code).toBe(0);
    // The same words do not let another key in: a breached server that swaps one half makes other words.
    const swapped = await rewrap({ ...to, sealPublicKey: generateSealKeyPair().publicKey });
    expect(swapped.error?.code).toBe('AGENT_POLICY_REFUSED');
    const { sealed } = await rewrap(to);
    if (!sealed) throw new Error('no key came');
    const { purpose, subject, version, enc, ciphertext } = sealed;
    expect([purpose, subject, version]).toEqual(['backup-key', backup.payload.location.backupId, 1]);
    const binding = { purpose, subject, version, sealed: { enc, ciphertext } };
    const own = { agentId: to.agentId, recipientPrivateKey: await privateKeyOf(receiver) };
    const text = (await openSealed({ ...binding, ...own })).toString();
    const { backupId, fence } = backup.payload.location;
    const keysFile = parseKeysFile(maker.server.storage.objects.get(`${backupId}/${fence}/keys-1.json`) ?? Buffer.alloc(0));
    const dek = await openWithAgentKey(keysFile, await privateKeyOf(maker));
    expect(text).toBe(dek.toString('base64'));
    await expect(openSealed({ ...binding, ...own, agentId: maker.server.agent.identity.agentId })).rejects.toThrow();
    expect(maker.agent.output).not.toContain(text);
    expect(await readFile(join(maker.home, 'journal.log'), 'utf8')).not.toContain(text);
  });

  it('restores the backup of an agent that this one trusts, and of no other', async () => {
    const from = publicOf(maker.server.agent);
    const { sealed } = await rewrap(publicOf(receiver.server.agent));
    if (!sealed) throw new Error('no key came');
    expect((await restored('none_named', { sealed })).message).toMatchObject({ error: { code: 'MANIFEST_INVALID' } });
    const words = wordsOf(from, receiver);
    const untrusted = await restored('not_trusted', { sealed, signedBy: from });
    expect(untrusted.message).toMatchObject({
      error: { code: 'AGENT_POLICY_REFUSED', message: expect.stringContaining(`rahatback-agent trust ${words}`) },
    });
    expect((await trust(receiver, words.toUpperCase().replaceAll(' ', '-'))).code).toBe(0);
    const keyless = await restored('no_key', { signedBy: from });
    expect(keyless.message).toMatchObject({ error: { code: 'WRONG_KEY' } });
    const done = await restored('shop_elsewhere', { sealed, signedBy: from });
    expect(done).toMatchObject({ event: 'restore:completed', message: { targetDatabase: 'shop_elsewhere' } });
    const tables = (done.message as unknown as { tables: { equal: boolean; rows: number }[] }).tables;
    expect(tables.map(({ equal, rows }) => [equal, rows])).toEqual([
      [true, 20_000],
      [true, 0],
    ]);
    expect(await receiver.databases()).toEqual(['postgres', 'shop_elsewhere']);
    expect((await trust(receiver, '--remove', ...words.split(' '))).code).toBe(0);
    const again = await restored('trust_ended', { sealed, signedBy: from });
    expect(again.message).toMatchObject({ error: { code: 'AGENT_POLICY_REFUSED' } });
  });

  it('is opened with a wrong one as a wrong key, before anything is written', async () => {
    const to = publicOf(receiver.server.agent);
    const from = publicOf(maker.server.agent);
    await trust(receiver, ...wordsOf(from, receiver).split(' '));
    const { sealed } = await rewrap(to);
    if (!sealed) throw new Error('no key came');
    const moved = { ...sealed, subject: '00000000-0000-4000-8000-00000000000f' };
    expect((await restored('moved', { sealed: moved, signedBy: from })).message).toMatchObject({ error: { code: 'WRONG_KEY' } });
    const other = { ...sealed, ciphertext: sealed.enc };
    expect((await restored('other', { sealed: other, signedBy: from })).message).toMatchObject({ error: { code: 'WRONG_KEY' } });
    expect(await receiver.databases()).toEqual(['postgres', 'shop_elsewhere']);
  });

  it('is about words that people type: the list is kept for the owner only, and what is no fingerprint is refused', async () => {
    const words = wordsOf(publicOf(receiver.server.agent), maker);
    expect(JSON.parse((await trust(maker, '--list', '--json')).stdout)).toEqual({
      agents: [{ fingerprint: words, label: 'second box', trustedAt: expect.any(String) }],
    });
    expect((await stat(join(maker.home, 'trusted-agents.json'))).mode & 0o777).toBe(0o600);
    for (const args of [
      ['one', 'two'],
      [],
      ['zzz', ...words.split(' ').slice(1)],
      ['--remove', 'abandon'],
      ['--list', 'abandon'],
    ]) {
      const { code, stderr } = await trust(maker, ...args);
      expect([args, code, stderr]).toEqual([args, 2, expect.stringContaining('VALIDATION')]);
    }
    const unknown = await trust(maker, '--remove', ...Array.from({ length: 6 }, () => 'abandon'));
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('NOT_FOUND')]);
  });
});
