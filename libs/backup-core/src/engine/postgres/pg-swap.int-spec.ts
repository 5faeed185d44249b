import { AppError } from '@rahatback/contracts';
import { availableMajors } from '@rahatback/testing';
import { Client } from 'pg';
import type { DatabaseAccess, SwapRequest } from '../database-engine.js';
import { markText } from './pg-swap-marks.js';
import { postgresEngine } from './postgres-engine.js';
import { propertiesOf, SwapWorld } from './swap-world.suite.js';

const { swap, undoSwap, discard, reopenAfterSwap } = postgresEngine;
const never = (): AbortSignal => new AbortController().signal;
/** Turns do not depend on the client tools, so one old and one new major say enough beside the usual one. */
const majors = [...new Set([undefined, availableMajors()[0], availableMajors().at(-1)])];

describe.each(majors)('a swap on PostgreSQL %s', (major) => {
  let world: SwapWorld;
  beforeAll(async () => {
    world = await SwapWorld.start(major);
    await world.script('CREATE ROLE plain LOGIN PASSWORD $$plain-pass$$');
  }, 60_000);
  afterAll(() => world.stop());

  const client = async (database: string): Promise<Client> => {
    const opened = new Client({ connectionString: world.server.url(database) });
    opened.on('error', () => undefined);
    await opened.connect();
    return opened;
  };
  const refused = async (work: Promise<unknown>): Promise<AppError> => {
    const error: unknown = await work.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AppError);
    return error as AppError;
  };
  /** The refusal, after which everything is as it was. */
  const refusedUnchanged = async (
    change: Partial<SwapRequest> = {},
    access: DatabaseAccess = world.access(),
  ): Promise<AppError> => {
    const before = await world.states();
    const error = await refused(swap(access, { ...world.request(), ...change }, never()));
    expect(await world.states()).toEqual(before);
    expect(error.code).toBe('SWAP_REFUSED');
    return error;
  };

  it('refuses names that do not fit, and databases that the restore did not make', async () => {
    expect((await refusedUnchanged({ restoredDatabase: 'nowhere' })).message).toContain('no database nowhere');
    expect((await refusedUnchanged({ liveDatabase: 'nowhere' })).message).toContain('no database nowhere');
    expect((await refusedUnchanged({ restoreId: 'another' })).message).toContain('does not bear the mark');
    expect((await refusedUnchanged({ retiredDatabase: 'ş'.repeat(32) })).message).toContain('longer than 63 bytes');
    expect((await refusedUnchanged({ retiredDatabase: 'shop' })).message).toContain('different names');
    expect((await refusedUnchanged({ liveDatabase: 'postgres' })).message).toContain('belong to the server');
    await world.server.createDatabase('taken');
    expect((await refusedUnchanged({ retiredDatabase: 'taken' })).message).toContain('already a database taken');
    await world.script('DROP DATABASE taken');
    expect((await refused(undoSwap(world.access(), world.request(), never()))).message).toContain('is gone');
  });

  it('names the sessions of a busy database, and ends them only after the drain', async () => {
    const busy = await client('shop');
    await busy.query("SET application_name TO 'till 3'; BEGIN; SELECT * FROM marker");
    const error = await refusedUnchanged({ drainMs: 0 });
    expect(error.message).toContain('shop: 1 × user postgres (application till 3)');
    expect(error.details).toEqual({ sessions: [{ database: 'shop', user: 'postgres', application: 'till 3', sessions: 1 }] });
    const from = performance.now();
    const outcome = await swap(world.access(), world.request(300), never());
    expect(performance.now() - from).toBeGreaterThan(300);
    expect(outcome.drainedSessions).toBe(1);
    await expect(busy.query('SELECT 1')).rejects.toThrow();
    expect(await world.generation()).toEqual([{ generation: 'new', work_mem: '3MB' }]);
  });

  it('has been made: again it says so, the copy is like the old one, and the old one is kept', async () => {
    expect(await swap(world.access(), world.request(), never())).toEqual({ drainedSessions: 0, notes: [] });
    const states = await world.states();
    const [live, old] = [states.get('shop'), states.get('shop_old')];
    if (!live || !old) throw new Error([...states.keys()].join());
    expect(propertiesOf(live)).toEqual(propertiesOf(old));
    expect(live.oid).toBe(world.newOid);
    expect(live.comment).toBe("Restored by RahatBack: restore-1\nthe shop's own words");
    expect(old.comment).toBe("Retired by RahatBack: restore-1\nthe shop's own words");
    expect(await postgresEngine.findRestored(world.access(), 'restore-1')).toBe('shop');
    const shown = await client('shop');
    expect(
      (
        await shown.query('SELECT array_to_string(current_schemas(false), $2) AS s, current_setting($1) AS note', [
          'shop.note',
          ' ',
        ])
      ).rows,
    ).toEqual([{ s: 'public', note: 'it\'s a \\ "note"' }]);
    await shown.end();
  });

  it('is turned round, and what was put aside can be dropped, nothing else', async () => {
    const notOurs = await refused(discard(world.access(), { restoreId: 'restore-1', database: 'shop' }));
    expect(notOurs.message).toContain('is not dropped');
    expect((await refused(discard(world.access(), { restoreId: 'restore-2', database: 'shop_old' }))).code).toBe('SWAP_REFUSED');
    await undoSwap(world.access(), world.request(), never());
    await undoSwap(world.access(), world.request(), never());
    expect(await world.generation()).toEqual([{ generation: 'old', work_mem: '3MB' }]);
    const states = await world.states();
    expect(states.get('shop')).toMatchObject({ oid: world.oldOid, comment: "the shop's own words" });
    expect(states.get('shop_old')).toMatchObject({ oid: world.newOid, comment: 'Put aside by RahatBack: restore-1' });
    // And once more, from the name that it has now.
    world.turnNames();
    await swap(world.access(), world.request(), never());
    expect(await world.generation()).toEqual([{ generation: 'new', work_mem: '3MB' }]);
    await undoSwap(world.access(), world.request(), never());
    world.turnNames();
  });

  it('refuses what would be cut off: prepared transactions, slots, subscriptions', async () => {
    if ((await world.server.query('SHOW max_prepared_transactions'))[0]?.[0] === '0') {
      await world.script('ALTER SYSTEM SET max_prepared_transactions = 5');
      await world.script("ALTER SYSTEM SET wal_level = 'logical'");
      await world.server.halt();
      await world.server.start();
    }
    await world.script("BEGIN; UPDATE hits SET n = n + 1; PREPARE TRANSACTION 'half'", 'shop');
    expect((await refusedUnchanged()).message).toContain('prepared transactions');
    await world.script("ROLLBACK PREPARED 'half'", 'shop');
    await world.script("SELECT pg_create_logical_replication_slot('feed', 'pgoutput')", 'shop');
    expect((await refusedUnchanged()).message).toMatch(/slots.*: feed\./);
    await world.script("SELECT pg_drop_replication_slot('feed')", 'shop');
    await world.script(
      "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1 dbname=x' PUBLICATION p WITH (connect = false); ALTER SUBSCRIPTION s SET (slot_name = 'x'); ALTER SUBSCRIPTION s ENABLE",
      'shop',
    );
    expect((await refusedUnchanged()).message).toContain('subscribes');
    await world.script('ALTER SUBSCRIPTION s DISABLE; ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s', 'shop');
  }, 60_000);

  it('warns of publications that differ', async () => {
    await world.script('CREATE PUBLICATION news FOR TABLE marker, hits', 'shop');
    await world.script('CREATE PUBLICATION news FOR TABLE marker', world.request().restoredDatabase);
    const { notes } = await swap(world.access(), world.request(), never());
    expect(notes).toEqual([
      expect.stringMatching(/^Publication news has tables public.hits, public.marker in shop, but has tables public.marker/),
    ]);
    await undoSwap(world.access(), world.request(), never());
    world.turnNames();
    await world.script('DROP PUBLICATION news', 'shop');
  });

  it('lets go when it is stopped, and gives back what a dead one had blocked', async () => {
    const before = await world.states();
    const busy = await client('shop');
    const stop = new AbortController();
    const stopped = refused(swap(world.access(), world.request(60_000), stop.signal));
    while ((await world.states()).get('shop')?.allowsConnections) await new Promise((resolve) => setTimeout(resolve, 10));
    stop.abort(new AppError('FENCED', 'A newer attempt.'));
    expect((await stopped).code).toBe('FENCED');
    expect(await world.states()).toEqual(before);
    expect((await busy.query('SELECT 1')).rowCount).toBe(1);
    await busy.end();
    const mark = markText({
      role: 'swapping',
      restoreId: 'restore-1',
      allowedConnections: true,
      comment: "the shop's own words",
    });
    await world.script(`COMMENT ON DATABASE shop IS $$${mark}$$; ALTER DATABASE shop ALLOW_CONNECTIONS false`);
    await reopenAfterSwap(world.access(), world.request());
    expect(await world.states()).toEqual(before);
  });

  it('says what a user lacks, and works for an owner that may create databases', async () => {
    const access = world.access();
    const plain: DatabaseAccess = { connection: { ...access.connection, username: 'plain' }, password: 'plain-pass' };
    const refusal = await refusedUnchanged({}, plain);
    expect(refusal.message).toContain('ALTER ROLE "plain" CREATEDB; GRANT "shop_owner" TO "plain";');
    await world.script('ALTER ROLE plain CREATEDB; GRANT shop_owner TO plain');
    const { restoredDatabase } = world.request();
    await world.script(
      `ALTER DATABASE ${restoredDatabase} OWNER TO plain; ALTER ROLE app IN DATABASE ${restoredDatabase} RESET ALL`,
    );
    const held = await client('shop');
    const cannotEnd = await refusedUnchanged({ drainMs: 20 }, plain);
    expect(cannotEnd.message).toContain('may not end them');
    await held.end();
    // A grant that somebody else had passed on, and a setting of another role, are beyond an owner.
    expect((await refusedUnchanged({}, plain)).message).toMatch(/permission denied/);
    await world.script('REVOKE CONNECT ON DATABASE shop FROM auditor CASCADE; ALTER ROLE app IN DATABASE shop RESET ALL');
    await swap(plain, world.request(), never());
    const states = await world.states();
    expect(propertiesOf(states.get('shop') as never)).toEqual(propertiesOf(states.get(world.request().retiredDatabase) as never));
    const { retiredDatabase } = world.request();
    await discard(plain, { restoreId: 'restore-1', database: retiredDatabase });
    await discard(plain, { restoreId: 'restore-1', database: retiredDatabase });
    expect([...(await world.states()).keys()]).toEqual(['shop']);
    expect((await refused(undoSwap(plain, world.request(), never()))).message).toContain('is gone');
  });
});
