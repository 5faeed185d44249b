import { readdir, stat, symlink, writeFile, mkdir, chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { tempDir, type TempDir } from '@rahatback/testing';
import { AgentHome } from './agent-home.js';
import { removeTemporaries, writeJsonAtomic } from './atomic-file.js';
import { isHomeLocked, lockHome } from './home-lock.js';
import { readIdentity, readKeys, requireEnrolled, writeIdentity, writeKeys } from './identity.store.js';
import { DEFAULT_POLICY, ensurePolicy, policyRefusal, readPolicy, setPolicyRule } from './policy.js';
import { pinRecovery, readRecoveryPin } from './recovery-pin.js';
import { readGeneration, writeGeneration } from './session.store.js';

const identity = {
  agentId: 'a',
  workspaceId: 'w',
  serverId: 's',
  serverUrl: 'http://127.0.0.1:1',
  deviceName: 'd',
  commandKeyId: 'k',
  commandPublicKey: 'p',
  fingerprint: 'one two three four five six',
  enrolledAt: '2026-01-01T00:00:00.000Z',
};
const keys = { sign: { publicKey: 'a', privateKey: 'b' }, seal: { publicKey: 'c', privateKey: 'd' } };

describe('the state of an agent', () => {
  let dir: TempDir;
  let home: AgentHome;
  beforeEach(async () => {
    dir = await tempDir('rahatback-home-');
    home = new AgentHome(join(dir.path, 'home'));
    await home.ensure();
  });
  afterEach(() => dir.remove());

  const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

  it('is for its owner only: folder 0700, every file 0600', async () => {
    await writeKeys(home, keys);
    await writeIdentity(home, identity);
    await ensurePolicy(home);
    await pinRecovery(home, 'age1x', 'enrolment');
    await writeGeneration(home, 3);
    lockHome(home).release();
    expect(await modeOf(home.path)).toBe(0o700);
    const files = await readdir(home.path);
    expect(files).toHaveLength(6);
    for (const file of files) expect([file, await modeOf(join(home.path, file))]).toEqual([file, 0o600]);
  });

  it('takes back what others may do with the folder', async () => {
    await chmod(home.path, 0o755);
    await home.ensure();
    expect(await modeOf(home.path)).toBe(0o700);
  });

  it('refuses a home that is a file', async () => {
    const path = join(dir.path, 'file');
    await writeFile(path, '');
    await expect(new AgentHome(path).ensure()).rejects.toMatchObject({ code: 'PATH_FORBIDDEN' });
  });

  it('replaces a link by a file instead of writing through it', async () => {
    const elsewhere = join(dir.path, 'elsewhere');
    await writeFile(elsewhere, 'untouched');
    await symlink(elsewhere, home.policyFile);
    await writeJsonAtomic(home.policyFile, {});
    expect((await stat(elsewhere)).size).toBe('untouched'.length);
  });

  it('leaves nothing of a write that a crash cut off', async () => {
    await writeFile(join(home.path, '.tmp-keys.json-1'), 'half');
    await removeTemporaries(home.path);
    expect(await readdir(home.path)).toEqual([]);
  });

  it('leaves no temporary file when a write fails', async () => {
    await mkdir(home.policyFile);
    await expect(writeJsonAtomic(home.policyFile, {})).rejects.toThrow();
    expect(await readdir(home.path)).toEqual(['policy.json']);
  });

  it('reads back keys and identity, and says how to enrol when there are none', async () => {
    await expect(requireEnrolled(home)).rejects.toMatchObject({
      code: 'AGENT_AUTH_FAILED',
      message: expect.stringContaining('enroll'),
    });
    await writeKeys(home, keys);
    await writeIdentity(home, identity);
    expect(await requireEnrolled(home)).toEqual({ identity, keys });
    expect([await readIdentity(home), await readKeys(home)]).toEqual([identity, keys]);
  });

  it('names the file that is damaged', async () => {
    await writeFile(home.identityFile, '{"agentId": 5}');
    await expect(readIdentity(home)).rejects.toMatchObject({
      code: 'DATA_CORRUPT',
      message: expect.stringContaining('identity.json'),
    });
    await writeFile(home.keysFile, '{"sign":');
    await expect(readKeys(home)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
    await writeFile(home.sessionFile, '{"generation": -1}');
    await expect(readGeneration(home)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
  });

  it('starts at generation 0 and keeps the last one', async () => {
    expect(await readGeneration(home)).toBe(0);
    await writeGeneration(home, 12);
    expect(await readGeneration(home)).toBe(12);
  });

  it('pins a recovery key', async () => {
    expect(await readRecoveryPin(home)).toBeNull();
    await pinRecovery(home, 'age1abc', 'first-command');
    expect(await readRecoveryPin(home)).toMatchObject({ recipient: 'age1abc', origin: 'first-command' });
  });

  describe('the lock', () => {
    it('is taken by one and free after it', () => {
      expect(isHomeLocked(home)).toBe(false);
      const lock = lockHome(home);
      expect(isHomeLocked(home)).toBe(true);
      expect(() => lockHome(home, 0)).toThrow(
        expect.objectContaining({ code: 'CONFLICT', message: expect.stringContaining(home.path) }),
      );
      lock.release();
      expect(isHomeLocked(home)).toBe(false);
    });
  });

  describe('the policy', () => {
    it('forbids restores over live and upgrades unless the owner allows them', async () => {
      await ensurePolicy(home);
      expect(await readPolicy(home)).toEqual(DEFAULT_POLICY);
      expect(DEFAULT_POLICY).toMatchObject({ restoreOverLive: false, upgrades: false, storageFolders: [] });
      await setPolicyRule(home, 'restoreOverLive', true);
      await ensurePolicy(home);
      expect(await readPolicy(home)).toEqual({ ...DEFAULT_POLICY, restoreOverLive: true });
    });

    it.each([
      ['{"restoreOverLive": "yes"}'],
      ['[]'],
      ['null'],
      ['{"deletes": 1}'],
      ['{"storageFolders": ["relative"]}'],
      ['{"exportFolder": 1}'],
    ])('allows nothing when it is damaged: %s', async (text) => {
      await writeFile(home.policyFile, text);
      await expect(readPolicy(home)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
    });

    it('names the command that allows what it refused', () => {
      expect(policyRefusal('restoreOverLive')).toMatchObject({
        code: 'AGENT_POLICY_REFUSED',
        message: expect.stringContaining('rahatback-agent policy allow-restore-over-live'),
      });
    });
  });
});
