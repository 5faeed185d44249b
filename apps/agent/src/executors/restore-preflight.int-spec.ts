import type { CommandPayloads, PreflightFinding } from '@rahatback/contracts';
import { runAgent } from '../testing/agent-process.js';
import { BackupWorld } from '../testing/backup-world.js';
import { envelope, PLAIN_READ } from '../testing/command-factory.js';

jest.setTimeout(120_000);

/** The real agent process and a real database; only the server is scripted. */
describe('the executor of a preflight', () => {
  let world: BackupWorld;
  let shop: string;
  beforeAll(async () => {
    world = await BackupWorld.start();
    shop = await world.shop();
    await world.run();
  });
  afterAll(() => world.stop());

  const findings = async (
    fields: Pick<CommandPayloads['restore:preflight'], 'backup'> & Partial<CommandPayloads['restore:preflight']>,
  ) => {
    const connection = world.connection(shop);
    const payload = {
      ...PLAIN_READ,
      links: [],
      connection,
      targetDatabase: 'free_name',
      liveDatabase: null,
      selection: [],
      ...fields,
    };
    const command = envelope(world.server.agent, 'restore:preflight', { payload, sealed: [await world.sealed()] });
    world.server.storage.locations.set(command.commandId, fields.backup);
    await world.server.send(command);
    const { event, message } = await world.result(command);
    expect(event).toBe('restore:preflight:result');
    expect(message.error).toBeUndefined();
    return message.findings as PreflightFinding[];
  };
  const bad = (found: readonly PreflightFinding[]) =>
    found.filter(({ severity }) => severity !== 'ok').map(({ subject, severity }) => `${subject} ${severity}`);

  it('opens the backup and examines the server, then restores one table of it', async () => {
    const command = await world.backupCommand(shop);
    const backup = command.payload.location;
    await world.server.send(command);
    await world.result(command);
    const found = await findings({ backup });
    expect(bad(found)).toEqual([]);
    expect(found.map(({ subject }) => subject)).toContain('key');
    expect(bad(await findings({ backup, selection: [{ schema: 'public', table: 'nope' }] }))).toEqual(['selection blocker']);
    const swap = await findings({ backup, liveDatabase: shop });
    expect(swap.at(-1)).toMatchObject({ subject: 'privileges', severity: 'blocker', details: { code: 'AGENT_POLICY_REFUSED' } });
    await runAgent(world.home, ['policy', 'allow-restore-over-live']);
    expect(bad(await findings({ backup, liveDatabase: shop }))).toEqual([]);

    const restore = await world.restoreCommand(shop, {
      backup,
      targetDatabase: 'one_table',
      selection: [{ schema: 'public', table: 'empty' }],
    });
    await world.server.send(restore);
    const { message } = await world.result(restore);
    expect(message.tables).toEqual([{ schema: 'public', table: 'empty', rows: 0, restoredRows: 0, equal: true }]);
    expect(message.steps).toContainEqual(
      expect.objectContaining({ name: 'select', detail: expect.stringContaining('1 tables were left out') as string }),
    );
    const none = await world.restoreCommand(shop, {
      backup,
      targetDatabase: 'none',
      selection: [{ schema: 'public', table: 'nope' }],
    });
    await world.server.send(none);
    expect(await world.result(none)).toMatchObject({
      event: 'restore:failed',
      message: { error: { code: 'SELECTION_INVALID' } },
    });
  });

  it('says that a backup cannot be opened, beside everything else', async () => {
    const { location } = (await world.backupCommand(shop)).payload;
    const found = await findings({ backup: location });
    expect(bad(found)).toEqual(['key blocker']);
    expect(found.find(({ subject }) => subject === 'connection')?.severity).toBe('ok');
  });
});
