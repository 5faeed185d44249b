import { tempDir, type TempDir } from '@rahatback/testing';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeThrowawayFolder, removeThrowawayLeftovers } from './throwaway-folder.js';
import { giveToUnprivileged } from './throwaway-isolation.js';

describe('what a killed verification left', () => {
  let workDir: TempDir;
  beforeEach(async () => {
    workDir = await tempDir('rahatback-work-', 0o711);
  });
  afterEach(() => workDir.remove());

  it('is removed also from a folder in which its owner may not write, and only its own', async () => {
    const [id, other] = [randomUUID(), randomUUID()];
    const { path } = await makeThrowawayFolder([workDir.path], id, 1);
    const { path: stays } = await makeThrowawayFolder([workDir.path], other, 1);
    const inner = join(path, 'data');
    await mkdir(inner);
    await writeFile(join(inner, 'file'), 'x');
    await giveToUnprivileged(inner);
    expect(await removeThrowawayLeftovers(id, [workDir.path])).toEqual([path]);
    expect([existsSync(path), existsSync(stays)]).toEqual([false, true]);
    expect(await removeThrowawayLeftovers(id, [workDir.path])).toEqual([]);
  });

  it('leads no privileged hand elsewhere', async () => {
    const id = randomUUID();
    const { path } = await makeThrowawayFolder([workDir.path], id, 1);
    const precious = join(workDir.path, 'precious');
    await mkdir(precious);
    await chmod(precious, 0o700);
    await writeFile(join(precious, 'file'), 'x');
    await symlink(precious, join(path, 'link'));
    await removeThrowawayLeftovers(id, [workDir.path]);
    expect(existsSync(join(precious, 'file'))).toBe(true);
  });
});
