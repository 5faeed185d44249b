import { generateSealKeyPair } from '@rahatback/crypto';
import { descendantsOf, isAlive, listProcesses, waitFor } from '@rahatback/testing';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runAgent } from '../testing/agent-process.js';
import { BackupWorld } from '../testing/backup-world.js';
import { envelope } from '../testing/command-factory.js';

jest.setTimeout(120_000);

/** The real agent process, real client tools and a real database; only the server is scripted. */
describe('the executors', () => {
  let world: BackupWorld;
  let shop: string;
  beforeAll(async () => {
    world = await BackupWorld.start();
    shop = await world.shop();
  });
  afterAll(() => world.stop());
  beforeEach(() => {
    world.server.script = {};
    world.server.storage.gate = Promise.resolve();
  });
  afterEach(() => world.kill());

  const stagings = async (): Promise<string[]> =>
    (await world.databases()).filter((name) => name.startsWith('rahatback_restore_'));
  const dumps = (pid: number): number => descendantsOf(pid).filter(({ argv }) => /pg_dump/.test(argv.join(' '))).length;

  it('test a connection: what the server and the tools are, or why not', async () => {
    await world.run();
    const ask = async (fields: object, password?: string) => {
      const command = envelope(world.server.agent, 'database:test', {
        payload: { connection: { ...world.connection(shop), ...fields } },
        sealed: [await world.sealed(password)],
      });
      await world.server.send(command);
      return (await world.result(command)).message;
    };
    expect(await ask({})).toMatchObject({
      success: true,
      compatible: true,
      clientTool: expect.stringMatching(/^pg_dump \d+/),
      serverVersion: expect.stringMatching(/^\d+/),
      latencyMs: expect.any(Number),
    });
    expect(await ask({ port: 1 })).toMatchObject({ success: false, error: { code: 'DB_UNREACHABLE' } });
    expect(await ask({ database: 'nowhere' })).toMatchObject({ success: false, error: { code: 'DB_NOT_FOUND' } });
    const refused = await ask({}, 'canary-wrong-password');
    expect(refused).toMatchObject({ success: false, error: { code: 'DB_AUTH_FAILED' } });
    expect(JSON.stringify(refused) + world.agent.output).not.toContain('canary-wrong-password');
    expect(await ask({ type: 'mysql' })).toMatchObject({ success: false, error: { code: 'ENGINE_UNSUPPORTED' } });
    expect(world.agent.output).not.toContain(world.postgres.password);
  });

  it('refuse a password that was sealed for another agent, or is not there', async () => {
    await world.run();
    const stranger = generateSealKeyPair();
    const sealed = await world.sealed();
    const connection = world.connection(shop);
    const foreign = envelope(world.server.agent, 'database:test', {
      payload: { connection },
      sealed: [{ ...sealed, enc: stranger.publicKey }],
    });
    await world.server.send(foreign);
    expect((await world.result(foreign)).message).toMatchObject({ success: false, error: { code: 'WRONG_KEY' } });
    const moved = envelope(world.server.agent, 'database:test', {
      payload: { connection },
      sealed: [{ ...sealed, subject: 'database-2' }],
    });
    await world.server.send(moved);
    expect((await world.result(moved)).message).toMatchObject({ success: false, error: { code: 'WRONG_KEY' } });
    const none = envelope(world.server.agent, 'database:test', { payload: { connection } });
    await world.server.send(none);
    expect((await world.result(none)).message).toMatchObject({ success: false, error: { code: 'COMMAND_REFUSED' } });
  });

  it('back up, report, and restore beside with equal digests; then a second link of the chain', async () => {
    await world.run();
    const full = await world.backupCommand(shop);
    await world.server.send(full);
    const done = await world.result(full);
    expect(done).toMatchObject({
      event: 'backup:completed',
      message: {
        backupId: full.payload.location.backupId,
        manifestSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        fence: full.fence,
      },
    });
    expect(world.server.received.find(({ event }) => event === 'backup:started')?.message).toMatchObject({
      commandId: full.commandId,
    });
    expect(world.server.received.some(({ event }) => event === 'backup:progress')).toBe(true);

    await world.postgres.query("INSERT INTO customers VALUES (900001, 'yeni', 'x')", { database: shop });
    const next = await world.backupCommand(shop);
    const location = { ...next.payload.location, backupType: 'incremental' as const };
    const link = {
      ...next,
      payload: { ...next.payload, location, chainId: full.payload.chainId, base: [full.payload.location] },
    };
    await world.server.send(link);
    expect(await world.result(link)).toMatchObject({ event: 'backup:completed' });
    const sizeOf = (id: string): number =>
      [...world.server.storage.objects]
        .filter(([key]) => key.startsWith(`${id}/`) && key.includes('data-'))
        .reduce((sum, [, { length }]) => sum + length, 0);
    expect(sizeOf(location.backupId)).toBeLessThan(sizeOf(full.payload.location.backupId) / 2);
    // The next link will not fetch these two.
    expect(await readdir(join(world.home, 'cache', 'indexes'))).toHaveLength(2);

    const restore = await world.restoreCommand(shop, {
      backup: location,
      links: [full.payload.location],
      targetDatabase: 'shop_again',
    });
    await world.server.send(restore);
    const restored = await world.result(restore);
    expect(restored).toMatchObject({ event: 'restore:completed', message: { targetDatabase: 'shop_again' } });
    const tables = restored.message.tables as { table: string; equal: boolean; rows: number }[];
    expect(tables.map(({ table, equal, rows }) => [table, equal, rows])).toEqual([
      ['customers', true, 20_001],
      ['empty', true, 0],
    ]);
    expect(await stagings()).toEqual([]);
    const again = await world.restoreCommand(shop, { backup: full.payload.location, targetDatabase: 'shop_again' });
    await world.server.send(again);
    expect(await world.result(again)).toMatchObject({
      event: 'restore:failed',
      message: { error: { code: 'RESTORE_TARGET_EXISTS' } },
    });
  });

  it('make a full in a chain of its own when the chain cannot be built on', async () => {
    await world.run();
    const command = await world.backupCommand(shop);
    const gone = { ...command.payload.location, backupId: 'gone', backupType: 'full' as const };
    const location = { ...command.payload.location, backupType: 'incremental' as const };
    await world.server.send({ ...command, payload: { ...command.payload, location, base: [gone] } });
    expect(await world.result(command)).toMatchObject({
      event: 'backup:completed',
      message: { steps: expect.arrayContaining([expect.objectContaining({ name: 'full instead' })]) },
    });
    const manifest = JSON.parse(
      String(world.server.storage.objects.get(`${location.backupId}/${location.fence}/manifest.json`)),
    ) as {
      type: string;
      chain: { id: string };
    };
    expect(manifest.type).toBe('full');
    expect(manifest.chain.id).not.toBe(command.payload.chainId);
  });

  it('cancel in the middle of the upload: reported once, nothing left running, uploads given back', async () => {
    const agent = await world.run();
    world.server.storage.gate = new Promise(() => undefined);
    const aborted = world.server.storage.aborted;
    const command = await world.backupCommand(shop);
    await world.server.send(command);
    await waitFor(() => dumps(agent.pid) > 0, { describe: 'the dump to run', timeoutMs: 30_000 });
    const cancel = envelope(world.server.agent, 'job:cancel', {
      payload: { targetCommandId: command.commandId },
      resource: command.resource,
      fence: command.fence,
    });
    await world.server.send(cancel);
    expect(await world.result(command, 10_000)).toMatchObject({
      event: 'backup:failed',
      message: { error: { code: 'CANCELLED' } },
    });
    expect(dumps(agent.pid)).toBe(0);
    expect(world.server.storage.aborted).toBe(aborted + 1);
    expect([...world.server.storage.objects.keys()].some((key) => key.startsWith(command.payload.location.backupId))).toBe(false);
  });

  it('go on with a backup while the connection is away, and report it afterwards', async () => {
    const agent = await world.run();
    let open = (): void => undefined;
    world.server.storage.gate = new Promise<void>((resolve) => (open = resolve));
    const command = await world.backupCommand(shop);
    await world.server.send(command);
    await waitFor(() => dumps(agent.pid) > 0, { describe: 'the dump to run', timeoutMs: 30_000 });
    const sessions = world.server.registrations.length;
    world.server.breakConnection();
    open();
    expect(await world.result(command)).toMatchObject({ event: 'backup:completed' });
    expect(world.server.registrations.length).toBe(sessions + 1);
  });

  it.each([['backup.dump.first_byte'], ['upload.part.after_put'], ['backup.manifest.before']])(
    'killed at %s: the dump dies too, and the next start reports it as failed',
    async (point) => {
      const agent = await world.run({ FAULT: `${point}:1` });
      const command = await world.backupCommand(shop);
      await world.server.send(command).catch(() => undefined);
      expect(await agent.ended).toMatchObject({ signal: 'SIGKILL' });
      await world.run();
      expect(await world.result(command)).toMatchObject({
        event: 'backup:failed',
        message: { error: { code: 'AGENT_RESTARTED' } },
      });
      await waitFor(
        () => !listProcesses().some(({ argv }) => argv.join(' ').includes('pg_dump') && argv.join(' ').includes(shop)),
        {
          describe: 'the dump to be gone',
        },
      );
    },
  );

  it('killed after the manifest was published: the next start reports it as completed', async () => {
    const agent = await world.run({ FAULT: 'backup.manifest.after:1' });
    const command = await world.backupCommand(shop);
    await world.server.send(command).catch(() => undefined);
    expect(await agent.ended).toMatchObject({ signal: 'SIGKILL' });
    await world.run();
    const { event, message } = await world.result(command);
    expect(event).toBe('backup:completed');
    expect(message.manifestSha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it('killed in the middle of a restore: the staging database is dropped at the next start, the live one untouched', async () => {
    await world.run();
    const backup = await world.backupCommand(shop);
    await world.server.send(backup);
    await world.result(backup);
    await world.kill();
    const agent = await world.run({ FAULT: 'restore.loaded:1' });
    const restore = await world.restoreCommand(shop, { backup: backup.payload.location, targetDatabase: 'never' });
    await world.server.send(restore).catch(() => undefined);
    expect(await agent.ended).toMatchObject({ signal: 'SIGKILL' });
    expect(await stagings()).toHaveLength(1);
    await world.run();
    expect(await world.result(restore)).toMatchObject({
      event: 'restore:failed',
      message: { error: { code: 'AGENT_RESTARTED' } },
    });
    expect(await stagings()).toEqual([]);
    expect(await world.databases()).not.toContain('never');
  });

  it('leave no clear secret in the journal, the logs or the arguments', async () => {
    const agent = await world.run();
    world.server.storage.gate = new Promise(() => undefined);
    const command = await world.backupCommand(shop);
    await world.server.send(command);
    await waitFor(() => dumps(agent.pid) > 0, { describe: 'the dump to run', timeoutMs: 30_000 });
    const argv = [agent.pid, ...descendantsOf(agent.pid).map(({ pid }) => pid)].filter(isAlive);
    const lines = listProcesses()
      .filter(({ pid }) => argv.includes(pid))
      .map((entry) => entry.argv.join(' '));
    const journal = await readFile(join(world.home, 'journal.log'), 'utf8');
    const { stdout } = await runAgent(world.home, ['status', '--json']);
    for (const text of [journal, agent.output, stdout, ...lines]) expect(text).not.toContain(world.postgres.password);
    expect(journal).toContain(command.commandId);
    agent.signal('SIGTERM');
    expect(await agent.ended).toMatchObject({ code: 0 });
  });
});
