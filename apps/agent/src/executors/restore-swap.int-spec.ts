import { AppError, type CommandEnvelope, type CommandPayloads } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { runAgent } from '../testing/agent-process.js';
import { BackupWorld } from '../testing/backup-world.js';
import { envelope } from '../testing/command-factory.js';

jest.setTimeout(120_000);

type TurnType = 'restore:swap' | 'restore:undo';

/** The real agent process and a real database; only the server is scripted. */
describe('the executors of a swap', () => {
  let world: BackupWorld;
  let live: string;
  let restored: string;
  let restoreId: string;
  let fence = 1000;
  beforeAll(async () => {
    world = await BackupWorld.start();
  });
  afterAll(() => world.stop());
  beforeEach(async () => {
    live = await world.postgres.createDatabase();
    restored = await world.postgres.createDatabase();
    restoreId = randomUUID();
    await world.postgres.query(`COMMENT ON DATABASE ${restored} IS 'Restored by RahatBack: ${restoreId}'`);
    await world.postgres.query('CREATE TABLE old ()', { database: live });
    await world.postgres.query('CREATE TABLE new ()', { database: restored });
    await runAgent(world.home, ['policy', 'allow-restore-over-live']);
  });
  afterEach(() => world.kill());

  const tables = async (): Promise<unknown> =>
    (await world.postgres.query("SELECT relname FROM pg_class WHERE relname IN ('old', 'new')", { database: live })).flat();
  const turn = async <T extends TurnType>(type: T, fields: Partial<CommandEnvelope<T>> = {}, drainMs = 100) => {
    fence += 1;
    const retiredDatabase = `${live}_old`;
    const payload = {
      restoreId,
      connection: world.connection(live),
      liveDatabase: live,
      restoredDatabase: restored,
      retiredDatabase,
      drainMs,
    } as CommandPayloads[T];
    return envelope(world.server.agent, type, { payload, fence, sealed: [await world.sealed()], ...fields });
  };
  const sent = async (command: CommandEnvelope) => {
    await world.server.send(command);
    return world.result(command);
  };

  it('swap, undo and discard, each answered once', async () => {
    await world.run();
    const swap = await turn('restore:swap');
    const names = { restoreId, liveDatabase: live, retiredDatabase: `${live}_old` };
    expect(await sent(swap)).toMatchObject({ event: 'restore:swap:result', message: { ...names, drainedSessions: 0 } });
    expect(await tables()).toEqual(['new']);
    expect(await sent(await turn('restore:undo'))).toMatchObject({ event: 'restore:undo:result', message: names });
    expect(await tables()).toEqual(['old']);
    const payload = { restoreId, connection: world.connection(live), database: `${live}_old` };
    const sealed = [await world.sealed()];
    const refused = await sent(
      envelope(world.server.agent, 'restore:discard', { payload: { ...payload, database: live }, sealed, fence: 1 }),
    );
    expect(refused).toMatchObject({ event: 'restore:discard:result', message: { error: { code: 'SWAP_REFUSED' } } });
    const discard = await sent(envelope(world.server.agent, 'restore:discard', { payload, sealed, fence: 1 }));
    expect(discard).toMatchObject({ event: 'restore:discard:result', message: { restoreId } });
    expect(discard.message.error).toBeUndefined();
    expect(await world.databases()).not.toContain(`${live}_old`);
  });

  it('name the sessions of a busy database, and touch nothing', async () => {
    await world.run();
    const busy = new Client({ connectionString: world.postgres.url(live), application_name: 'till' });
    await busy.connect();
    const refused = await sent(await turn('restore:swap', {}, 0));
    expect(refused.message).toMatchObject({ restoreId, drainedSessions: 0, error: { code: 'SWAP_REFUSED' } });
    expect(JSON.stringify(refused.message)).toContain('application till');
    expect((await busy.query('SELECT 1')).rowCount).toBe(1);
    await busy.end();
  });

  it('refuse a swap that the owner of the machine does not allow', async () => {
    await runAgent(world.home, ['policy', 'deny-restore-over-live']);
    await world.run();
    expect(await world.server.send(await turn('restore:swap'))).toMatchObject({
      ok: false,
      error: { code: 'AGENT_POLICY_REFUSED' },
    });
    expect(await tables()).toEqual(['old']);
  });

  it.each([
    ['swap.blocked', 'old'],
    ['swap.in_transaction', 'old'],
    ['swap.committed', 'new'],
  ])(
    'killed at %s: the database is open again before the server is there, and the swap is finished, however late',
    async (point, between) => {
      await world.run({ FAULT: point });
      const expiresAt = new Date(Date.now() + 3_000).toISOString();
      const swap = await turn('restore:swap', { expiresAt });
      await world.server.send(swap);
      await world.agent.ended;
      await waitFor(() => Date.now() > Date.parse(expiresAt), { describe: 'the command to expire' });
      world.server.script = { refuse: () => new AppError('UNAVAILABLE', 'Not yet.') };
      await world.kill();
      const again = world.run().catch(() => undefined);
      await waitFor(async () => String(await tables()) === between, {
        describe: 'the database to be open',
        timeoutMs: 20_000,
      });
      world.server.script = {};
      await again;
      expect((await world.result(swap)).message).toMatchObject({ restoreId, liveDatabase: live });
      expect((await world.result(swap)).message.error).toBeUndefined();
      expect(await tables()).toEqual(['new']);
    },
  );
});
