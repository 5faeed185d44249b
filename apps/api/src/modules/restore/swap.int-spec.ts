import type { RestoreView, SwapPayload } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import type { RunningApi } from '../../testing/start-api.js';
import { startApi } from '../../testing/start-api.js';
import { LiveEvents } from '../../platform/realtime/live-events.js';
import { refusalOf } from '../backups/testing/backup-scene.js';
import { RestoreScene } from './testing/restore-scene.js';

const HOUR_MS = 3_600_000;

/** One agent at the door, one PostgreSQL for the rows; the sweep runs all the time. */
describe('a swap', () => {
  let api: RunningApi;
  let scene: RestoreScene;
  let names = 0;

  beforeAll(async () => {
    api = await startApi({ config: { watchdogIntervalMs: 200, leaseMs: 60_000, trustProxy: ['127.0.0.1'] } });
    scene = await RestoreScene.create(api);
  }, 60_000);
  afterAll(() => api.stop());

  /** Lets each test have its own live database. */
  const fresh = async (): Promise<string> => {
    names += 1;
    const live = `shop_${names}`;
    await scene.renameLive(live);
    return live;
  };
  const until = (id: string, state: RestoreView['swapState']): Promise<unknown> =>
    waitFor(async () => (await scene.view(id)).swapState === state, { describe: `restore ${id} to be ${String(state)}` });
  const commandCount = async (live: string): Promise<number> =>
    Number((await scene.sql(`SELECT count(*) FROM commands WHERE resource LIKE 'swap:%/' || $1`, [live]))[0]?.[0]);

  it('is confirmed by the name, follows the proved copy, and keeps the old database for the time that was asked for', async () => {
    const live = await fresh();
    const told = jest.spyOn(api.app.get(LiveEvents), 'toWorkspace');
    for (const confirmDatabase of [undefined, 'Shop', `${live} `]) {
      const refused = await scene.restore({ mode: 'swap', confirmDatabase });
      expect(refused).toMatchObject({
        status: 400,
        body: { code: 'CONFIRMATION_MISMATCH', message: expect.stringContaining(`"${live}"`), details: { expected: live } },
      });
    }
    expect(await scene.sql('SELECT count(*)::int FROM restores WHERE live_database = $1', [live])).toEqual([[0]]);
    const swap = { mode: 'swap', confirmDatabase: live };
    const part = { ...swap, selection: [{ schema: 'public', table: 'orders' }] };
    expect(await scene.restore(part)).toMatchObject({ status: 400, body: { code: 'SELECTION_INVALID' } });
    expect(await scene.restore({ ...swap, targetDatabase: 'mine' })).toMatchObject({ status: 400, body: { code: 'VALIDATION' } });

    const { status, body } = await scene.restore({ ...swap, undoHours: 3, drainSeconds: 7, parallelism: 4 });
    expect([status, body.message]).toEqual([201, expect.stringContaining(`takes the place of "${live}"`)]);
    const id = body.restoreHistoryId;
    expect(await scene.view(id)).toMatchObject({ mode: 'swap', liveDatabase: live, swapState: null, status: 'running' });
    expect(await commandCount(live)).toBe(0);
    await scene.complete(id);
    expect(await scene.view(id)).toMatchObject({ status: 'success', swapState: 'swapping', connection: 'connected' });
    const command = await scene.answer('swap', live);
    expect(command.payload).toMatchObject({
      restoreId: id,
      liveDatabase: live,
      restoredDatabase: (await scene.view(id)).targetDatabase,
      retiredDatabase: expect.stringMatching(new RegExp(`^${live}_before_\\d{14}$`)),
      drainMs: 7000,
    });
    const swapped = await scene.view(id);
    expect(swapped).toMatchObject({ swapState: 'swapped', connection: null, retiredDatabase: command.payload.retiredDatabase });
    const keptMs = new Date(swapped.undoUntil ?? 0).getTime() - Date.now();
    expect(keptMs / HOUR_MS).toBeCloseTo(3, 1);
    expect(swapped.steps.at(-1)).toMatchObject({ name: 'swapped', detail: '2 open sessions were ended.' });
    // The same answer again, and one that contradicts it: confirmed, and nothing changes.
    await scene.answer('swap', live, { error: { code: 'SWAP_FAILED', message: 'No.' } });
    expect(await scene.view(id)).toEqual(swapped);
    const events = told.mock.calls
      .filter(([, event]) => event === 'restore:swap')
      .map(([workspace, , event]) => [workspace, event]);
    told.mockRestore();
    expect(events).toEqual(
      ['swapping', 'swapped'].map((swapState) => [scene.base.owner.workspaceId, { restoreHistoryId: id, swapState }]),
    );
    expect((await scene.audited(id)).sort()).toEqual(
      ['restore.started', 'restore.succeeded', 'restore.swap_started', 'restore.swapped'].sort(),
    );
  });

  it('is undone and done again under the same names, once, however many ask', async () => {
    const live = await fresh();
    const { id, retiredDatabase } = await scene.swapped(live);
    expect(await scene.deed(id, 'undo', 'shop')).toMatchObject({ status: 400, body: { code: 'CONFIRMATION_MISMATCH' } });
    const answers = await Promise.all(Array.from({ length: 10 }, () => scene.deed(id, 'undo', live)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 9 }, () => 409)]);
    expect(await scene.deed(id, 'discard', retiredDatabase ?? '')).toMatchObject({
      status: 409,
      body: { code: 'ALREADY_RUNNING' },
    });
    const undo = await scene.answer('undo', live);
    expect(undo.payload).toMatchObject({ liveDatabase: live, retiredDatabase });
    expect(await scene.view(id)).toMatchObject({ swapState: 'undone', retiredDatabase });
    expect(await scene.deed(id, 'undo', live)).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });

    expect(await scene.deed(id, 'swap', live)).toMatchObject({ status: 200, body: { swapState: 'swapping' } });
    const again = await scene.answer('swap', live);
    expect(again.payload).toMatchObject({ restoredDatabase: retiredDatabase, retiredDatabase });
    expect(await scene.deed(id, 'discard', live)).toMatchObject({ status: 400, body: { code: 'CONFIRMATION_MISMATCH' } });
    expect(await scene.deed(id, 'discard', retiredDatabase ?? '')).toMatchObject({
      status: 200,
      body: { swapState: 'discarding' },
    });
    const discard = await scene.answer('discard', live);
    expect(discard.payload).toMatchObject({ restoreId: id, database: retiredDatabase });
    expect(await scene.view(id)).toMatchObject({ swapState: 'discarded', retiredDatabase: null, undoUntil: null });
    expect(await scene.deed(id, 'undo', live)).toMatchObject({ status: 409, body: { code: 'UNDO_EXPIRED' } });
    const fences = await scene.sql(`SELECT fence::int FROM commands WHERE resource LIKE 'swap:%/' || $1 ORDER BY sequence`, [
      live,
    ]);
    expect(fences.flat()).toEqual([1, 2, 3, 4]);
  });

  it('that fails leaves the copy beside with the reason, and can be tried again', async () => {
    const live = await fresh();
    const { body } = await scene.restore({ mode: 'swap', confirmDatabase: live });
    const id = body.restoreHistoryId;
    await scene.complete(id);
    await scene.answer('swap', live, { error: { code: 'SWAP_REFUSED', message: 'Three sessions are open.' } });
    expect(await scene.view(id)).toMatchObject({
      status: 'success',
      swapState: 'swap_failed',
      errorCode: 'SWAP_REFUSED',
      errorMessage: 'Three sessions are open.',
      retiredDatabase: null,
    });
    expect((await scene.deed(id, 'undo', live)).status).toBe(409);
    expect(await scene.deed(id, 'swap', live)).toMatchObject({ status: 200, body: { swapState: 'swapping', errorCode: null } });
    await scene.answer('swap', live);
    expect((await scene.view(id)).swapState).toBe('swapped');
    await scene.deed(id, 'undo', live);
    await scene.answer('undo', live, { error: { code: 'DB_UNREACHABLE', message: 'No answer.' } });
    expect((await scene.view(id)).errorMessage).toMatch(/^No answer\. .*try again/);
    // Whoever wanted the old one back does not lose it to the clock.
    await scene.sql(`UPDATE restores SET undo_until = now() - interval '1 hour' WHERE id = $1`, [id]);
    expect(await scene.deed(id, 'undo', live)).toMatchObject({ status: 200, body: { swapState: 'undoing' } });
  });

  it('puts in a copy that was made beside, but never a part', async () => {
    const live = await fresh();
    const whole = (await scene.restore({})).body.restoreHistoryId;
    expect(await scene.deed(whole, 'swap', live)).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    await scene.complete(whole);
    expect(await scene.view(whole)).toMatchObject({ swapState: null, liveDatabase: null });
    const part = (await scene.restore({ targetDatabase: `${live}_part`, selection: [{ schema: 'public' }] })).body
      .restoreHistoryId;
    await scene.complete(part);
    expect((await scene.view(part)).selection).toEqual([{ schema: 'public', table: null }]);
    expect(await scene.deed(part, 'swap', live)).toMatchObject({ status: 400, body: { code: 'SELECTION_INVALID' } });
    expect(await scene.deed(whole, 'swap', live)).toMatchObject({
      status: 200,
      body: { swapState: 'swapping', liveDatabase: live },
    });
    await scene.answer('swap', live);
    expect((await scene.view(whole)).swapState).toBe('swapped');
  });

  it('is alone at its live database, and a newer one is undone first', async () => {
    const live = await fresh();
    const first = await scene.swapped(live);
    await scene.sql(`UPDATE restores SET retired_database = $2 WHERE id = $1`, [first.id, `${live}_before_20260101000000`]);
    const starts = await Promise.all(Array.from({ length: 5 }, () => scene.restore({ mode: 'swap', confirmDatabase: live })));
    expect(starts.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409]);
    const second = starts.find(({ status }) => status === 201)?.body.restoreHistoryId ?? '';
    await scene.complete(second);
    // The first one's old database may not change hands meanwhile.
    expect(await scene.deed(first.id, 'undo', live)).toMatchObject({ status: 409, body: { code: 'ALREADY_RUNNING' } });
    await scene.answer('swap', live);
    expect(await scene.deed(first.id, 'undo', live)).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    expect((await scene.deed(second, 'undo', live)).status).toBe(200);
    await scene.answer('undo', live);
    expect((await scene.deed(first.id, 'undo', live)).status).toBe(200);
  });

  it('that follows a restore while another is under way gives up with the reason', async () => {
    const live = await fresh();
    const beside = (await scene.restore({ targetDatabase: `${live}_copy` })).body.restoreHistoryId;
    await scene.complete(beside);
    const id = (await scene.restore({ mode: 'swap', confirmDatabase: live })).body.restoreHistoryId;
    await scene.deed(beside, 'swap', live);
    await scene.complete(id);
    expect(await scene.view(id)).toMatchObject({ status: 'success', swapState: 'swap_failed', errorCode: 'ALREADY_RUNNING' });
    await scene.answer('swap', live);
    expect((await scene.view(beside)).swapState).toBe('swapped');
    expect((await scene.deed(id, 'swap', live)).status).toBe(200);
  });

  it('expires: the undo is refused, and the old database is discarded when the agent is there', async () => {
    const live = await fresh();
    const { id, retiredDatabase } = await scene.swapped(live);
    await scene.offline(scene.agent, async () => {
      expect(await scene.deed(id, 'undo', live)).toMatchObject({ status: 503, body: { code: 'AGENT_OFFLINE' } });
      await scene.sql(`UPDATE restores SET undo_until = now() - interval '1 second' WHERE id = $1`, [id]);
      expect(await scene.deed(id, 'undo', live)).toMatchObject({ status: 409, body: { code: 'UNDO_EXPIRED' } });
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect((await scene.view(id)).swapState).toBe('swapped');
    });
    await until(id, 'discarding');
    await scene.answer('discard', live, { error: { code: 'SWAP_REFUSED', message: 'Somebody reads in it.' } });
    expect(await scene.view(id)).toMatchObject({ swapState: 'swapped', errorMessage: 'Somebody reads in it.', retiredDatabase });
    const before = await commandCount(live);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await commandCount(live)).toBe(before);
    await scene.sql(`UPDATE commands SET ended_at = now() - interval '11 minutes' WHERE resource LIKE 'swap:%/' || $1`, [live]);
    await until(id, 'discarding');
    await scene.answer('discard', live);
    expect((await scene.view(id)).swapState).toBe('discarded');
    expect((await scene.audited(id)).filter((action) => action.startsWith('restore.discard'))).toEqual([
      'restore.discard_started',
      'restore.discard_failed',
      'restore.discard_started',
      'restore.discarded',
    ]);
  }, 60_000);

  it('whose agent is away stays as it is, is asked again under a new fence, and is never guessed', async () => {
    const live = await fresh();
    const { body } = await scene.restore({ mode: 'swap', confirmDatabase: live });
    const id = body.restoreHistoryId;
    await scene.complete(id);
    const resource = `swap:${scene.base.databaseId}/${live}`;
    const lost = await scene.base.command<SwapPayload>('restore:swap', resource);
    await scene.offline(scene.agent, async () => {
      await scene.sql(`UPDATE commands SET expires_at = now() - interval '1 second' WHERE id = $1`, [lost.id]);
      await scene.sql(`UPDATE leases SET expires_at = now() - interval '1 second' WHERE resource = $1`, [resource]);
      await waitFor(async () => (await scene.base.command('restore:swap', resource)).state === 'expired', {
        describe: 'the command to expire',
        timeoutMs: 20_000,
      });
      await scene.sql(`UPDATE commands SET ended_at = now() - interval '1 minute' WHERE id = $1`, [lost.id]);
      await new Promise((resolve) => setTimeout(resolve, 600));
      expect(await scene.view(id)).toMatchObject({ swapState: 'swapping', connection: 'lost' });
      expect(await commandCount(live)).toBe(1);
      // A lease that has run out lets nobody else in while the outcome is unknown.
      expect((await scene.restore({ mode: 'swap', confirmDatabase: live })).status).toBe(503);
    });
    expect(await scene.restore({ mode: 'swap', confirmDatabase: live })).toMatchObject({ body: { code: 'ALREADY_RUNNING' } });
    await waitFor(async () => (await commandCount(live)) === 2, { describe: 'the swap to be asked for again' });
    const again = await scene.base.command<SwapPayload>('restore:swap', resource);
    expect(again.fence).toBe(lost.fence + 1);
    expect(again.payload).toEqual(lost.payload);
    // What the first one says now counts for nothing: the second one tells how things stand.
    expect(await scene.agent.say('restore:swap:result', scene.result(lost))).toEqual({ confirmed: true });
    expect((await scene.view(id)).swapState).toBe('swapping');
    await scene.answer('swap', live, { error: { code: 'AGENT_RESTARTED', message: 'It died.' } });
    expect((await scene.view(id)).swapState).toBe('swapping');
    await scene.sql(`UPDATE commands SET ended_at = now() - interval '1 minute' WHERE id = $1`, [again.id]);
    await waitFor(async () => (await commandCount(live)) === 3, { describe: 'the swap to be asked for a third time' });
    await scene.answer('swap', live);
    expect((await scene.view(id)).swapState).toBe('swapped');
  }, 60_000);

  it('that the agent refuses has failed; bad frames and strangers change nothing', async () => {
    const live = await fresh();
    const id = (await scene.restore({ mode: 'swap', confirmDatabase: live })).body.restoreHistoryId;
    await scene.complete(id);
    const command = await scene.base.command<SwapPayload>('restore:swap', `swap:${scene.base.databaseId}/${live}`);
    const say = (fields: object) => refusalOf(scene.agent.say('restore:swap:result', { ...scene.result(command), ...fields }));
    expect(await say({ drainedSessions: -1 })).toBe('WS_BAD_FRAME');
    expect(await say({ restoreId: 'x' })).toBe('WS_BAD_FRAME');
    expect(await say({ restoreId: scene.backupId })).toBe('WS_BAD_FRAME');
    expect(await say({ fence: command.fence + 1 })).toBe('none');
    const stranger = await RestoreScene.create(api);
    await stranger.agent.say('restore:swap:result', scene.result(command));
    expect((await stranger.deed(id, 'undo', live)).status).toBe(404);
    expect((await scene.view(id)).swapState).toBe('swapping');
    const error = { code: 'AGENT_POLICY_REFUSED', message: 'Allow it on the machine.' };
    await scene.agent.say('command:refused', { ...scene.agent.report(command), error });
    expect(await scene.view(id)).toMatchObject({ swapState: 'swap_failed', errorCode: error.code, errorMessage: error.message });
  }, 60_000);

  it('needs the password again from everybody but owners, and is nothing for operators and viewers', async () => {
    const live = await fresh();
    const admin = await scene.colleague('admin');
    const swap = { mode: 'swap', confirmDatabase: live };
    const refused = { status: 403, body: { code: 'STEP_UP_REQUIRED', message: expect.stringContaining('password') } };
    expect(await scene.restore(swap, admin.token)).toMatchObject(refused);
    expect(await scene.restore({}, admin.token)).toMatchObject(refused);
    const young = await admin.stepUp();
    const { status, body } = await scene.restore(swap, young);
    expect(status).toBe(201);
    await scene.complete(body.restoreHistoryId);
    await scene.answer('swap', live);
    const { retiredDatabase } = await scene.view(body.restoreHistoryId);
    expect(await scene.deed(body.restoreHistoryId, 'undo', live, admin.token)).toMatchObject(refused);
    expect(await scene.deed(body.restoreHistoryId, 'swap', live, admin.token)).toMatchObject(refused);
    expect(await scene.deed(body.restoreHistoryId, 'discard', retiredDatabase ?? '', admin.token)).toMatchObject(refused);
    expect((await scene.deed(body.restoreHistoryId, 'undo', live, young)).status).toBe(200);
    const viewer = await scene.colleague('viewer');
    const operator = await (await scene.colleague('operator')).stepUp();
    const forbidden = { status: 403, body: { code: 'FORBIDDEN' } };
    expect((await scene.restore({}, operator)).status).toBe(201);
    for (const token of [viewer.token, operator]) {
      expect(await scene.restore(swap, token)).toMatchObject(forbidden);
      for (const deed of ['swap', 'undo', 'discard'] as const)
        expect(await scene.deed(body.restoreHistoryId, deed, 'x', token)).toMatchObject(forbidden);
    }
  });
});
