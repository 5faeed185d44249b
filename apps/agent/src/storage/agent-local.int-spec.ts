import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { counterSign, parseManifest, serializeManifest } from '@rahatback/backup-core';
import { ok, type CommandPayloads } from '@rahatback/contracts';
import { generateSigningKeyPair } from '@rahatback/crypto';
import { Client } from 'pg';
import { waitFor } from '@rahatback/testing';
import { runAgent } from '../testing/agent-process.js';
import { BackupWorld } from '../testing/backup-world.js';
import { envelope, PLAIN_READ } from '../testing/command-factory.js';
import { smallDisk } from '../testing/small-disk.js';

jest.setTimeout(120_000);

type Backup = Awaited<ReturnType<BackupWorld['backupCommand']>>;

/** The real agent process, real client tools and a real database; the server is scripted, and counter-signs. */
describe("backups on the agent's own disk", () => {
  let world: BackupWorld;
  let shop: string;
  let fence = 0;
  const serverKey = generateSigningKeyPair();

  beforeAll(async () => {
    world = await BackupWorld.start();
    shop = await world.shop();
    world.server.script = {
      answer: (event, message) => {
        if (event !== 'upload:publish' || message.object !== 'manifest.json')
          return world.server.storage.answer(event, message) ?? ok({ confirmed: true });
        const own = parseManifest(Buffer.from(String(message.content), 'base64'));
        const bytes = serializeManifest(counterSign(own, serverKey.privateKey));
        return ok({ sha256: createHash('sha256').update(bytes).digest('hex'), content: bytes.toString('base64') });
      },
    };
  });
  afterAll(() => world.stop());
  afterEach(() => world.kill());

  const folder = (name: string): string => join(world.home, 'backups', name);
  const filesIn = async (path: string): Promise<string[]> =>
    (await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []))
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  const ALL = ['data-00001', 'index', 'keys-1.json', 'manifest.json'];

  async function backUp(agentPath: string, fields: Partial<CommandPayloads['job:execute']> = {}): Promise<Backup> {
    const command = await world.backupCommand(shop, { agentPath, ...fields });
    await world.server.send(command).catch(() => undefined);
    return command;
  }

  async function made(agentPath: string): Promise<Backup> {
    const command = await backUp(agentPath);
    expect(await world.result(command)).toMatchObject({ event: 'backup:completed' });
    return command;
  }

  async function order<T extends 'backup:delete' | 'backup:export'>(type: T, payload: CommandPayloads[T]) {
    fence += 1;
    const command = envelope(world.server.agent, type, { payload, resource: `${type}:one`, fence });
    await world.server.send(command).catch(() => undefined);
    return command;
  }

  const remove = (backup: Backup) =>
    order('backup:delete', { location: backup.payload.location, agentPath: backup.payload.agentPath ?? '' });
  const exportOf = (backup: Backup, fileName: string) =>
    order('backup:export', {
      ...PLAIN_READ,
      agentPath: backup.payload.agentPath,
      backup: backup.payload.location,
      links: backup.payload.base,
      fileName,
      timeLimitMs: 60_000,
    });

  it('are made without a byte to the server, build chains, are restored equal, exported and deleted', async () => {
    await world.run();
    const full = await made('shop');
    expect(await filesIn(folder('shop'))).toEqual(ALL);
    const { workspaceId, databaseId, backupId } = full.payload.location;
    const attempt = join(folder('shop'), workspaceId, databaseId, backupId, String(full.payload.location.fence));
    expect((await stat(attempt)).mode & 0o777).toBe(0o700);
    for (const name of ALL) expect((await stat(join(attempt, name))).mode & 0o777).toBe(0o600);
    const manifest = await readFile(join(attempt, 'manifest.json'));
    expect(parseManifest(manifest).signatures.server).toEqual(expect.any(String));
    expect((await world.result(full)).message.manifestSha256).toBe(createHash('sha256').update(manifest).digest('hex'));
    expect(world.server.received.filter(({ event }) => /^upload:(begin|part|complete|abort)$/.test(event))).toEqual([]);

    await world.postgres.query("INSERT INTO customers VALUES (900001, 'yeni', 'x')", { database: shop });
    const { location } = (await world.backupCommand(shop)).payload;
    const link = await backUp('shop', {
      location: { ...location, fence: location.fence + 1, backupType: 'incremental' },
      chainId: full.payload.chainId,
      base: [full.payload.location],
    });
    expect(await world.result(link)).toMatchObject({ event: 'backup:completed' });
    expect(await filesIn(folder('shop'))).toHaveLength(8);

    const restore = await world.restoreCommand(shop, {
      agentPath: 'shop',
      backup: link.payload.location,
      links: [full.payload.location],
      targetDatabase: 'shop_from_disk',
    });
    await world.server.send(restore);
    const restored = await world.result(restore);
    expect(restored).toMatchObject({ event: 'restore:completed' });
    expect((restored.message.tables as { equal: boolean; rows: number }[]).map(({ equal, rows }) => [equal, rows])).toEqual([
      [true, 20_001],
      [true, 0],
    ]);

    const exported = await world.result(await exportOf(link, 'shop.sql'));
    const path = join(world.home, 'exports', 'shop.sql');
    const dump = await readFile(path);
    expect(exported).toMatchObject({
      event: 'backup:export:result',
      message: { path, sizeBytes: dump.length, sha256: createHash('sha256').update(dump).digest('hex') },
    });
    expect(exported.message.error).toBeUndefined();
    expect(dump.toString()).toContain('900001\tyeni\tx');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(world.home, 'exports'))).toEqual(['shop.sql']);
    for (const [name, code] of [
      ['shop.sql', 'OBJECT_EXISTS'],
      ['../shop.sql', 'PATH_FORBIDDEN'],
      ['.hidden', 'PATH_FORBIDDEN'],
    ] as const) {
      expect(await world.result(await exportOf(link, name))).toMatchObject({ message: { error: { code } } });
    }

    for (const backup of [link, full, full]) {
      const removed = await world.result(await remove(backup));
      expect([removed.event, removed.message.error]).toEqual(['backup:delete:result', undefined]);
    }
    expect(await readdir(folder('shop'))).toEqual([]);
    expect(world.server.received.filter(({ event }) => event === 'download:open')).toEqual([]);
  });

  it('go only where the policy of this machine lets them, whatever the server says', async () => {
    const outside = join(world.dir.path, 'disk');
    const elsewhere = join(world.dir.path, 'elsewhere');
    await mkdir(outside);
    await mkdir(elsewhere);
    await mkdir(folder(''), { recursive: true });
    await symlink(elsewhere, folder('link'));
    await symlink(join(world.dir.path, 'nowhere'), folder('dangling'));
    await world.run();
    const refused = async (agentPath: string, code: string, sentence = ''): Promise<void> => {
      const { event, message } = await world.result(await backUp(agentPath));
      expect({ agentPath, event, message }).toMatchObject({ agentPath, event: 'backup:failed', message: { error: { code } } });
      expect((message.error as { message: string }).message).toContain(sentence);
    };
    await refused(outside, 'AGENT_POLICY_REFUSED', `rahatback-agent policy allow-folder ${outside}`);
    await refused('link', 'AGENT_POLICY_REFUSED');
    await refused('link/below', 'AGENT_POLICY_REFUSED');
    await refused('dangling', 'AGENT_POLICY_REFUSED');
    await refused('/', 'AGENT_POLICY_REFUSED');
    await refused('../out', 'PATH_FORBIDDEN');
    await refused(`${outside}/../elsewhere`, 'PATH_FORBIDDEN');
    await refused('C:\\backups', 'PATH_FORBIDDEN');

    expect((await runAgent(world.home, ['policy', 'allow-folder', outside])).code).toBe(0);
    const kept = await made(outside);
    await symlink(elsewhere, join(outside, 'inner'));
    await refused(join(outside, 'inner'), 'AGENT_POLICY_REFUSED');
    await runAgent(world.home, ['policy', 'deny-new-destinations']);
    await refused(join(outside, 'new'), 'AGENT_POLICY_REFUSED', 'allow-new-destinations');
    await made(outside);
    await runAgent(world.home, ['policy', 'deny-deletes']);
    const undeleted = await world.result(await remove(kept));
    expect(undeleted.message).toMatchObject({ error: { code: 'AGENT_POLICY_REFUSED' } });
    expect(await filesIn(outside)).toHaveLength(2 * ALL.length + 1);
    await runAgent(world.home, ['policy', 'allow-deletes']);
    await runAgent(world.home, ['policy', 'allow-new-destinations']);
    // A folder in the place of ids that leads away is neither written, read nor emptied.
    const { workspaceId } = kept.payload.location;
    await rm(join(outside, workspaceId), { recursive: true });
    await symlink(elsewhere, join(outside, workspaceId));
    await refused(outside, 'AGENT_POLICY_REFUSED');
    expect((await world.result(await remove(kept))).message).toMatchObject({ error: { code: 'AGENT_POLICY_REFUSED' } });
    expect(await readdir(elsewhere)).toEqual([]);
  });

  it.each(['backup.dump.end', 'backup.index.after', 'agent.folder.before_manifest'])(
    'killed at %s: reported as failed, and no file is left',
    async (point) => {
      const agent = await world.run({ FAULT: `${point}:1` });
      const command = await backUp('killed');
      expect(await agent.ended).toMatchObject({ signal: 'SIGKILL' });
      await world.run();
      expect(await world.result(command)).toMatchObject({
        event: 'backup:failed',
        message: { error: { code: 'AGENT_RESTARTED' } },
      });
      expect(await filesIn(folder('killed'))).toEqual([]);
    },
  );

  it.each(['agent.folder.after_manifest', 'backup.manifest.after'])(
    'killed at %s: the manifest stands, and is reported once as completed',
    async (point) => {
      const agent = await world.run({ FAULT: `${point}:1` });
      const command = await backUp(point);
      expect(await agent.ended).toMatchObject({ signal: 'SIGKILL' });
      await world.run();
      const { event, message } = await world.result(command);
      expect(event).toBe('backup:completed');
      expect(await filesIn(folder(point))).toEqual(ALL);
      const { workspaceId, databaseId, backupId } = command.payload.location;
      const at = join(folder(point), workspaceId, databaseId, backupId, String(command.payload.location.fence), 'manifest.json');
      expect(message.manifestSha256).toBe(
        createHash('sha256')
          .update(await readFile(at))
          .digest('hex'),
      );
      expect(world.server.results().filter(({ message: said }) => said.commandId === command.commandId)).toHaveLength(1);
    },
  );

  it('killed while one is deleted: the deletion goes on at the next start', async () => {
    await world.run();
    const backup = await made('deleted');
    await world.kill();
    const agent = await world.run({ FAULT: 'agent.delete.after_manifest:1' });
    const command = await remove(backup);
    expect(await agent.ended).toMatchObject({ signal: 'SIGKILL' });
    expect(await filesIn(folder('deleted'))).toEqual(ALL.filter((name) => name !== 'manifest.json'));
    await world.run();
    expect((await world.result(command)).message.error).toBeUndefined();
    expect(await readdir(folder('deleted'))).toEqual([]);
  });

  it.each([
    ['agent.export.before_name', 'failed'],
    ['agent.export.after_name', 'written'],
  ])('killed at %s: the export is reported as %s, and nothing half is left', async (point, outcome) => {
    await world.run();
    const backup = await made(`for.${outcome}`);
    await world.kill();
    const agent = await world.run({ FAULT: `${point}:1` });
    const command = await exportOf(backup, `${outcome}.sql`);
    expect(await agent.ended).toMatchObject({ signal: 'SIGKILL' });
    await world.run();
    const { message } = await world.result(command);
    const names = (await readdir(join(world.home, 'exports'))).filter((name) => name !== 'shop.sql');
    if (outcome === 'written') {
      expect(message).toMatchObject({ path: join(world.home, 'exports', 'written.sql'), sizeBytes: expect.any(Number) });
      expect(message.error).toBeUndefined();
    } else {
      expect(message).toMatchObject({ error: { code: 'AGENT_RESTARTED' } });
    }
    expect(names).toEqual(outcome === 'written' ? ['written.sql'] : []);
  });

  it('leave nothing of a cancelled backup', async () => {
    await world.run();
    const holder = new Client({ connectionString: world.postgres.url(shop) });
    await holder.connect();
    try {
      await holder.query('BEGIN; LOCK TABLE empty IN ACCESS EXCLUSIVE MODE');
      const command = await backUp('cancelled');
      await waitFor(
        () =>
          world.server.received.some(
            ({ event, message }) => event === 'backup:started' && message.commandId === command.commandId,
          ),
        {
          describe: 'the backup to run',
          timeoutMs: 30_000,
        },
      );
      await world.server.send(
        envelope(world.server.agent, 'job:cancel', {
          payload: { targetCommandId: command.commandId },
          resource: command.resource,
          fence: command.fence,
        }),
      );
      expect(await world.result(command)).toMatchObject({ event: 'backup:failed', message: { error: { code: 'CANCELLED' } } });
      expect(await filesIn(folder('cancelled'))).toEqual([]);
    } finally {
      await holder.end();
    }
  });

  it('say NO_SPACE on a full disk, for a backup and for an export, and leave nothing there', async () => {
    const disk = await smallDisk(join(world.dir.path, 'small'), 256 * 1024);
    if (disk === null) {
      process.stderr.write('Not tested: a small disk cannot be mounted here (needs root and tmpfs).\n');
      return;
    }
    try {
      await world.run();
      const kept = await made('full-disk');
      await runAgent(world.home, ['policy', 'allow-folder', disk.path]);
      const { event, message } = await world.result(await backUp(disk.path));
      expect({ event, message }).toMatchObject({ event: 'backup:failed', message: { error: { code: 'NO_SPACE' } } });
      expect(await readdir(disk.path, { recursive: true })).toEqual([]);
      await runAgent(world.home, ['policy', 'export-folder', disk.path]);
      const refused = await world.result(await exportOf(kept, 'full.sql'));
      expect(refused.message).toMatchObject({
        error: { code: 'NO_SPACE', details: { neededBytes: expect.any(Number), freeBytes: expect.any(Number) } },
      });
      expect(await readdir(disk.path)).toEqual([]);
    } finally {
      await runAgent(world.home, ['policy', 'export-folder']);
      await disk.remove();
    }
  });

  it('are neither written nor thought deleted while their disk is not mounted', async () => {
    const disk = await smallDisk(join(world.dir.path, 'removable'), 64 * 1024 * 1024);
    if (disk === null) {
      process.stderr.write('Not tested: a small disk cannot be mounted here (needs root and tmpfs).\n');
      return;
    }
    await world.run();
    await runAgent(world.home, ['policy', 'allow-folder', disk.path]);
    const kept = await made(join(disk.path, 'yedek')).finally(disk.remove);
    expect(await readdir(disk.path)).toEqual([]);
    const error = { code: 'STORAGE_UNREACHABLE' };
    expect((await world.result(await remove(kept))).message).toMatchObject({ error });
    expect((await world.result(await backUp(join(disk.path, 'yedek')))).message).toMatchObject({ error });
    expect(await readdir(disk.path)).toEqual([]);
    await runAgent(world.home, ['policy', 'deny-folder', disk.path]);
    expect(JSON.parse((await runAgent(world.home, ['policy', 'show', '--json'])).stdout)).not.toMatchObject({
      mounts: expect.arrayContaining([disk.path]),
    });
  });
});
