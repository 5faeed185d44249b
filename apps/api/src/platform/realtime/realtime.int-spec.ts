import type { ErrorBody, RegisterMessage, Result, SignedCommand } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import { io } from 'socket.io-client';
import type { Socket } from 'socket.io-client';
import type { RunningApi } from '../../testing/start-api.js';
import { startApi } from '../../testing/start-api.js';
import { createWorker } from '../../create-app.js';
import { newId } from '../ids.js';
import { AgentChannel } from './agent-channel.js';
import type { AgentSession } from './agent-session.js';
import { LiveEvents } from './live-events.js';
import { MAX_FRAME_BYTES } from './socket-hub.js';
import { admitAll, SIGNATURE } from './testing/admit-all.js';

const COMMAND: SignedCommand = { body: '{}', signature: 'x', keyId: 'k' };

describe('sockets', () => {
  let one: RunningApi;
  let two: RunningApi;
  let worker: Awaited<ReturnType<typeof createWorker>>;
  let left: AgentSession[];
  const open: Socket[] = [];
  beforeAll(async () => {
    one = await startApi({ worker: false });
    two = await startApi({
      worker: false,
      database: one.postgres,
      redis: one.redis,
      config: { allowedOrigins: ['https://console.example'] },
    });
    worker = await createWorker({ config: one.config });
    left = admitAll(one);
    admitAll(two);
  }, 60_000);
  afterEach(() => {
    for (const socket of open.splice(0)) socket.disconnect();
  });
  afterAll(async () => {
    await worker?.close();
    await two?.stop();
    await one?.stop();
  });

  const dial = (api: RunningApi, namespace = '/agent', options: object = {}): Socket => {
    const socket = io(`${api.url}${namespace}`, { transports: ['websocket'], reconnection: false, forceNew: true, ...options });
    open.push(socket);
    return socket;
  };
  const registerMessage = (agentId: string, signature = SIGNATURE): RegisterMessage => ({
    agentId,
    deviceName: 'd',
    platform: 'linux',
    version: '1.0.0',
    protocol: 1,
    tools: [],
    generation: 0,
    signature,
  });
  const enter = async (api: RunningApi, agentId: string): Promise<Socket> => {
    const socket = dial(api);
    await new Promise((resolve) => socket.once('agent:challenge', resolve));
    const answer = (await socket.emitWithAck('agent:register', registerMessage(agentId))) as Result<unknown>;
    expect(answer.ok).toBe(true);
    return socket;
  };
  const closed = (socket: Socket) => waitFor(() => !socket.connected, { describe: 'the socket to be closed' });

  it('carry a command from a worker to an agent on any API process, and its receipt back', async () => {
    for (const api of [one, two]) {
      const agentId = newId();
      const socket = await enter(api, agentId);
      socket.on('database:test', (command: SignedCommand, ack: (result: unknown) => void) => {
        expect(command).toEqual(COMMAND);
        ack({ ok: true, value: { commandId: 'c', state: 'accepted' } });
      });
      for (const sender of [worker, one.app, two.app]) {
        expect(await sender.get(AgentChannel).send(agentId, 'database:test', COMMAND, 5000)).toEqual({
          ok: true,
          value: { commandId: 'c', state: 'accepted' },
        });
      }
    }
  });

  it("answer 'offline' at once for an agent that is nowhere, and 'timeout' for one that does not answer", async () => {
    const before = performance.now();
    expect(await worker.get(AgentChannel).send(newId(), 'job:execute', COMMAND, 10_000)).toBe('offline');
    expect(performance.now() - before).toBeLessThan(3000);
    const agentId = newId();
    await enter(one, agentId);
    expect(await worker.get(AgentChannel).send(agentId, 'job:execute', COMMAND, 200)).toBe('timeout');
  });

  it('cut every socket of an agent but the one that stays, with the reason, and tell the module', async () => {
    const agentId = newId();
    const [stale, fresh] = [await enter(one, agentId), await enter(two, agentId)];
    const reason = new Promise<ErrorBody>((resolve) => stale.once('agent:cut', resolve));
    worker.get(AgentChannel).cut(agentId, { code: 'AGENT_REVOKED', message: 'Revoked.' }, fresh.id);
    expect(await reason).toEqual({ code: 'AGENT_REVOKED', message: 'Revoked.' });
    await closed(stale);
    expect(fresh.connected).toBe(true);
    await waitFor(() => left.some((session) => session.agentId === agentId), { describe: 'the module to hear of the end' });
  });

  it('stay when another process ends: it closes its own only', async () => {
    const agentId = newId();
    const socket = await enter(one, agentId);
    socket.on('database:test', (_command: SignedCommand, ack: (result: unknown) => void) => ack({ ok: true, value: {} }));
    const ending = await startApi({ database: one.postgres, redis: one.redis });
    expect(await ending.app.get(AgentChannel).send(agentId, 'database:test', COMMAND, 5000)).toEqual({ ok: true, value: {} });
    await ending.stop();
    // What the ended process may have said to the others through Redis came before this.
    expect(await worker.get(AgentChannel).send(agentId, 'database:test', COMMAND, 5000)).toEqual({ ok: true, value: {} });
    expect(socket.connected).toBe(true);
  });

  it('refuse a wrong proof and close, and drop who does not register', async () => {
    const socket = dial(one);
    await new Promise((resolve) => socket.once('agent:challenge', resolve));
    expect(await socket.emitWithAck('agent:register', registerMessage(newId(), 'wrong'))).toMatchObject({
      ok: false,
      error: { code: 'AGENT_AUTH_FAILED' },
    });
    await closed(socket);
    const silent = dial(one);
    await new Promise((resolve) => silent.once('agent:challenge', resolve));
    await waitFor(() => !silent.connected, { describe: 'the silent socket to be dropped', timeoutMs: 8000 });
  });

  it('keep a socket over two bad frames and close it at the third', async () => {
    const socket = await enter(one, newId());
    const bad: [string, unknown][] = [
      ['upload:part', { commandId: 7 }],
      ['no:such:event', {}],
      ['heartbeat', 'text'],
    ];
    for (const [index, [event, message]] of bad.entries()) {
      expect(socket.connected).toBe(true);
      const answer = (await socket.timeout(3000).emitWithAck(event, message)) as Result<unknown>;
      expect([index, answer]).toMatchObject([
        index,
        { ok: false, error: { code: 'WS_BAD_FRAME', correlationId: expect.any(String) } },
      ]);
    }
    await closed(socket);
  });

  it('refuse keys that reach a prototype, events before registering, and frames above the largest that is needed', async () => {
    const socket = await enter(one, newId());
    const evil = JSON.parse('{"running":[],"__proto__":{"a":1}}') as object;
    expect(await socket.emitWithAck('heartbeat', evil)).toMatchObject({ ok: false, error: { code: 'WS_BAD_FRAME' } });
    const early = dial(one);
    await new Promise((resolve) => early.once('agent:challenge', resolve));
    expect(await early.emitWithAck('heartbeat', { running: [] })).toMatchObject({ ok: false, error: { code: 'WS_BAD_FRAME' } });
    const large = await enter(one, newId());
    large.emit('heartbeat', { running: [], text: 'x'.repeat(MAX_FRAME_BYTES) });
    await closed(large);
  });

  it('refuse foreign pages at the handshake, and people without a page or a token', async () => {
    const person = await one.register();
    const outcome = (options: object): Promise<string> =>
      new Promise((resolve) => {
        const socket = dial(one, '/', options);
        socket.once('connect', () => resolve('connected'));
        socket.once('connect_error', (error) => resolve((error as Error & { data?: ErrorBody }).data?.code ?? error.message));
      });
    const auth = { token: person.accessToken };
    expect(await outcome({ auth, extraHeaders: { origin: 'https://evil.example' } })).toMatch(/websocket error|403/);
    expect(await outcome({ auth })).toBe('ORIGIN_FORBIDDEN');
    expect(await outcome({ auth: {}, extraHeaders: { origin: one.url } })).toBe('UNAUTHENTICATED');
    expect(await outcome({ auth: { token: `${person.accessToken}x` }, extraHeaders: { origin: one.url } })).toBe(
      'UNAUTHENTICATED',
    );
    expect(await outcome({ auth, extraHeaders: { origin: one.url } })).toBe('connected');
  });

  it('show people the events of their own workspace, from any process, until they log out', async () => {
    const [mine, other] = [await one.register(), await one.register()];
    const listen = async (api: RunningApi, token: string): Promise<{ socket: Socket; events: unknown[] }> => {
      const socket = dial(api, '/', { auth: { token }, extraHeaders: { origin: api.url } });
      const events: unknown[] = [];
      socket.on('agent:status', (event: unknown) => events.push(event));
      await new Promise((resolve) => socket.once('connect', () => resolve(undefined)));
      return { socket, events };
    };
    // both processes share the keys only if they share the folder: the second person's socket is on the same API
    const first = await listen(one, mine.accessToken);
    const second = await listen(one, other.accessToken);
    const event = { agentId: newId(), status: 'online' as const };
    for (const sender of [worker, one.app, two.app]) sender.get(LiveEvents).toWorkspace(mine.workspaceId, 'agent:status', event);
    worker.get(LiveEvents).toWorkspace(other.workspaceId, 'agent:status', { ...event, status: 'offline' });
    await waitFor(() => first.events.length === 3 && second.events.length === 1, { describe: 'the events' });
    expect(first.events).toEqual([event, event, event]);
    expect(second.events).toEqual([{ ...event, status: 'offline' }]);
    await one.call('POST', '/v1/auth/logout', { body: { refreshToken: mine.refreshToken } });
    await closed(first.socket);
    expect(second.socket.connected).toBe(true);
  });
});
