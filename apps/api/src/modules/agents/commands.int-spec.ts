import { randomUUID } from 'node:crypto';
import { AppError, type CommandState, type ErrorBody } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import { startApi, type Registered, type RunningApi } from '../../testing/start-api.js';
import { AgentWatchdog } from './agent-watchdog.js';
import { CommandDispatcher } from './command-dispatcher.js';
import { CommandOutbox } from './command-outbox.js';
import { CommandReplies } from './command-replies.js';
import { LeaseService } from './lease.service.js';
import { enrolledAgent } from './testing/agent-scene.js';
import type { ScriptedAgent } from './testing/scripted-agent.js';

const CONNECTION = {
  type: 'postgresql',
  host: 'localhost',
  port: 5432,
  username: 'app',
  database: 'shop',
  tlsMode: 'prefer',
  tlsCa: null,
  passwordRef: null,
} as const;

/** Two API processes, of which the second also works the queues, over one PostgreSQL and one Redis. */
describe('commands', () => {
  let front: RunningApi;
  let back: RunningApi;
  let owner: Registered;
  const agents: ScriptedAgent[] = [];

  beforeAll(async () => {
    const config = { trustProxy: ['127.0.0.1'], outboxIntervalMs: 300, watchdogIntervalMs: 300 };
    front = await startApi({ config, worker: false });
    back = await startApi({ config: { ...config, keysDir: front.config.keysDir }, database: front.postgres, redis: front.redis });
    owner = await front.register();
  }, 60_000);
  afterEach(() => agents.splice(0).forEach((agent) => agent.disconnect()));
  afterAll(async () => {
    await back.stop();
    await front.stop();
  });

  const newAgent = async (): Promise<ScriptedAgent> => {
    const agent = await enrolledAgent(front, owner);
    agents.push(agent);
    return agent;
  };
  const enqueue = (agent: ScriptedAgent, changes: { expiresInMs?: number } = {}): Promise<string> =>
    front.database.inWorkspace(owner.workspaceId, (tx) =>
      front.app.get(CommandOutbox).enqueue(tx, {
        workspaceId: owner.workspaceId,
        agentId: agent.id,
        type: 'database:test',
        resource: `test:${agent.id}`,
        fence: 0,
        payload: { connection: CONNECTION },
        sealed: [],
        expiresInMs: 60_000,
        ...changes,
      }),
    );
  const stateOf = async (id: string): Promise<{ state: CommandState; deliveries: number; error: unknown }> => {
    const [row] = await front.postgres.query(`SELECT state, deliveries, result->'error'->>'code' FROM commands WHERE id = $1`, [
      id,
    ]);
    return { state: row?.[0] as CommandState, deliveries: Number(row?.[1]), error: row?.[2] };
  };
  const untilState = (id: string, state: CommandState): Promise<unknown> =>
    waitFor(async () => (await stateOf(id)).state === state, { describe: `command ${id} to be ${state}`, timeoutMs: 8_000 });
  const errorOf = async (id: string): Promise<string> => {
    const stored = (await front.app.get(CommandReplies).waitFor(id, 10_000)) as { error: ErrorBody };
    return stored.error.code;
  };

  it('reach an agent on another process, signed, with what was ordered', async () => {
    const agent = await newAgent();
    await agent.connect();
    const id = await enqueue(agent);
    await untilState(id, 'accepted');
    expect(agent.forged).toEqual([]);
    expect(agent.commands).toHaveLength(1);
    expect(agent.commands[0]).toMatchObject({
      commandId: id,
      agentId: agent.id,
      workspaceId: owner.workspaceId,
      sequence: 1,
      type: 'database:test',
      protocol: 1,
      fence: 0,
      payload: { connection: CONNECTION },
    });
    const { issuedAt = '', expiresAt = '' } = agent.commands[0] ?? {};
    expect(Date.parse(expiresAt) - Date.parse(issuedAt)).toBeGreaterThan(59_000);
  });

  it('wait for an agent that is away and come in order when it is back', async () => {
    const agent = await newAgent();
    const ids = [];
    for (let count = 0; count < 40; count += 1) ids.push(await enqueue(agent));
    expect((await stateOf(ids[0] ?? '')).state).toBe('queued');
    await agent.connect();
    for (const id of ids) await untilState(id, 'accepted');
    expect(agent.commands.map(({ commandId }) => commandId)).toEqual(ids);
    expect(agent.commands.map(({ sequence }) => sequence)).toEqual(ids.map((_id, index) => index + 1));
  });

  it('are not sent twice by ten sweeps and ten dispatches', async () => {
    const agent = await newAgent();
    await agent.connect();
    const ids = await Promise.all(Array.from({ length: 20 }, () => enqueue(agent)));
    const dispatchers = [front, back].map(({ app }) => app.get(CommandDispatcher));
    await Promise.all(
      Array.from({ length: 10 }).flatMap(() => dispatchers.map((one) => one.dispatch(agent.id).then(() => one.sweep()))),
    );
    for (const id of ids) await untilState(id, 'accepted');
    expect(agent.commands.map(({ commandId }) => commandId).sort()).toEqual([...ids].sort());
    for (const id of ids) expect(await stateOf(id)).toMatchObject({ deliveries: 1 });
  });

  it('come again, byte for byte, when the receipt was lost', async () => {
    const agent = await newAgent();
    let isDeaf = true;
    agent.on('database:test', async () => {
      if (isDeaf) await new Promise(() => undefined);
    });
    await agent.connect();
    const id = await enqueue(agent);
    await waitFor(() => agent.commands.length === 1, { describe: 'the first delivery' });
    expect(await stateOf(id)).toMatchObject({ state: 'sent', deliveries: 1 });
    isDeaf = false;
    await front.postgres.query(`UPDATE commands SET sent_at = sent_at - interval '1 minute' WHERE id = $1`, [id]);
    await untilState(id, 'accepted');
    expect(agent.commands).toHaveLength(2);
    expect(agent.commands[1]).toEqual(agent.commands[0]);
  });

  it('sent to a session that ended come again at once in the next', async () => {
    const agent = await newAgent();
    agent.on('database:test', () => new Promise(() => undefined));
    await agent.connect();
    const id = await enqueue(agent);
    await waitFor(() => agent.commands.length === 1, { describe: 'the first delivery' });
    agent.on('database:test', () => undefined);
    await agent.connect();
    await untilState(id, 'accepted');
    expect(agent.commands).toHaveLength(2);
  });

  it('known to the journal need no second delivery', async () => {
    const agent = await newAgent();
    agent.on('database:test', () => new Promise(() => undefined));
    await agent.connect();
    const id = await enqueue(agent);
    await waitFor(() => agent.commands.length === 1, { describe: 'the first delivery' });
    await agent.connect({
      journal: [{ commandId: id, type: 'database:test', state: 'running', resource: `test:${agent.id}`, fence: 0 }],
    });
    expect((await stateOf(id)).state).toBe('accepted');
    expect(agent.commands).toHaveLength(1);
  });

  it('that the agent refuses end so, with its reason and a trace', async () => {
    const agent = await newAgent();
    agent.on('database:test', () => {
      throw new AppError('AGENT_POLICY_REFUSED', 'The policy of this machine says no.');
    });
    await agent.connect();
    const id = await enqueue(agent);
    expect(await errorOf(id)).toBe('AGENT_POLICY_REFUSED');
    expect(await stateOf(id)).toMatchObject({ state: 'refused' });

    agent.on('database:test', () => undefined);
    const later = await enqueue(agent);
    await untilState(later, 'accepted');
    const error: ErrorBody = { code: 'COMMAND_EXPIRED', message: 'Too late.' };
    const refusal = { commandId: later, fence: 0, error };
    expect(await agent.report('command:refused', refusal)).toEqual({ confirmed: true });
    expect(await agent.report('command:refused', { ...refusal, error: { code: 'FENCED', message: 'Twice.' } })).toEqual({
      confirmed: true,
    });
    expect(await stateOf(later)).toMatchObject({ state: 'refused', error: 'COMMAND_EXPIRED' });
    const audited = await front.postgres.query(
      `SELECT count(*) FROM audit_events WHERE action = 'command.refused' AND target_id = $1`,
      [later],
    );
    expect(Number(audited[0]?.[0])).toBe(1);
  });

  it('that an agent cannot record now are sent again', async () => {
    const agent = await newAgent();
    agent.on('database:test', () => {
      throw new AppError('PIPELINE_FAILED', 'The journal cannot be written.');
    });
    await agent.connect();
    const id = await enqueue(agent);
    await waitFor(() => agent.commands.length === 1, { describe: 'the first delivery' });
    await waitFor(async () => (await stateOf(id)).state === 'sent', { describe: 'it to be waiting' });
    agent.on('database:test', () => undefined);
    await front.postgres.query(`UPDATE commands SET sent_at = sent_at - interval '1 minute' WHERE id = $1`, [id]);
    await untilState(id, 'accepted');
    expect(agent.commands).toHaveLength(2);
  });

  it('of another agent or fence are not touched by a report', async () => {
    const [agent, thief] = [await newAgent(), await newAgent()];
    await agent.connect();
    await thief.connect();
    const id = await enqueue(agent);
    await untilState(id, 'accepted');
    const error: ErrorBody = { code: 'COMMAND_REFUSED', message: 'Not mine.' };
    expect(await thief.report('command:refused', { commandId: id, fence: 0, error })).toEqual({ confirmed: true });
    expect(await agent.report('command:refused', { commandId: id, fence: 9, error })).toEqual({ confirmed: true });
    expect(await agent.report('database:test:result', { commandId: id, fence: 9, success: true })).toEqual({ confirmed: true });
    expect((await stateOf(id)).state).toBe('accepted');
    expect(await agent.report('database:test:result', { commandId: id, fence: 0, success: true })).toEqual({ confirmed: true });
    expect((await stateOf(id)).state).toBe('succeeded');
  });

  it('expire when nobody takes them, and when a test is never answered', async () => {
    const agent = await newAgent();
    const unsent = await enqueue(agent, { expiresInMs: 1 });
    expect(await errorOf(unsent)).toBe('COMMAND_EXPIRED');
    await agent.connect();
    const unanswered = await enqueue(agent);
    await untilState(unanswered, 'accepted');
    await front.postgres.query(`UPDATE commands SET expires_at = now() WHERE id = $1`, [unanswered]);
    expect(await errorOf(unanswered)).toBe('COMMAND_EXPIRED');
    expect(agent.commands.map(({ commandId }) => commandId)).toEqual([unanswered]);
  });

  it('that an agent has forgotten fail, those of its present session do not', async () => {
    const agent = await newAgent();
    await agent.connect();
    const forgotten = await enqueue(agent);
    await untilState(forgotten, 'accepted');
    await agent.connect({ journal: false });
    const present = await enqueue(agent);
    await untilState(present, 'accepted');
    const ended = { type: 'database:test', state: 'failed', resource: `test:${agent.id}`, fence: 0 } as const;
    const unknown = randomUUID();
    const answer = await agent.report('agent:journal', [{ ...ended, commandId: unknown }]);
    expect(answer).toEqual({ forget: [unknown] });
    expect(await errorOf(forgotten)).toBe('AGENT_RESTARTED');
    expect((await stateOf(present)).state).toBe('accepted');
    const again = await agent.report('agent:journal', [
      { ...ended, commandId: forgotten },
      { ...ended, commandId: present, state: 'running' },
    ]);
    expect(again).toEqual({ forget: [forgotten] });
  });

  it('are called off when the agent is revoked', async () => {
    const agent = await newAgent();
    await agent.connect();
    const accepted = await enqueue(agent);
    await untilState(accepted, 'accepted');
    agent.disconnect();
    const queued = await enqueue(agent);
    await front.call('POST', `/v1/agents/${agent.id}/revoke`, { token: owner.accessToken });
    for (const id of [accepted, queued]) expect(await stateOf(id)).toMatchObject({ state: 'cancelled', error: 'AGENT_REVOKED' });
    const late = await enqueue(agent);
    await untilState(late, 'cancelled');
  });

  it('can be taken back only before anybody saw them', async () => {
    const agent = await newAgent();
    const takeBack = (id: string): Promise<boolean> =>
      front.database.inWorkspace(owner.workspaceId, (tx) => front.app.get(CommandOutbox).cancelPending(tx, id));
    const unseen = await enqueue(agent);
    expect(await takeBack(unseen)).toBe(true);
    expect(await takeBack(unseen)).toBe(false);
    await agent.connect();
    const seen = await enqueue(agent);
    await untilState(seen, 'accepted');
    expect(await takeBack(seen)).toBe(false);
    expect(agent.commands.map(({ commandId }) => commandId)).toEqual([seen]);
  });

  it('under a lease go on as long as the heartbeat renews it, and are stopped without', async () => {
    const agent = await newAgent();
    await agent.connect();
    const resource = `backup:${randomUUID()}`;
    const leases = front.app.get(LeaseService);
    const commandId = randomUUID();
    const fence = await front.database.inWorkspace(owner.workspaceId, (tx) =>
      leases.acquire(tx, { resource, workspaceId: owner.workspaceId, holder: agent.id, operationId: randomUUID(), ttlMs: 5_000 }),
    );
    // Written by hand: an order of a backup needs more than this test is about.
    await front.postgres.query(
      `INSERT INTO commands (id, workspace_id, agent_id, sequence, type, resource, fence, state, payload, accepted_at, expires_at)
       VALUES ($1, $2, $3, 999, 'job:execute', $4, $5, 'accepted', '{}', now(), now() + interval '1 hour')`,
      [commandId, owner.workspaceId, agent.id, resource, fence],
    );
    const unknown = randomUUID();
    const running = [
      { commandId, resource, fence },
      { commandId: unknown, resource: 'backup:x', fence: 1 },
    ];
    expect((await agent.report('heartbeat', { running })).stop).toEqual([unknown]);
    expect((await stateOf(commandId)).state).toBe('running');
    const [row] = await front.postgres.query(`SELECT expires_at > now() + interval '1 minute' FROM leases WHERE resource = $1`, [
      resource,
    ]);
    expect(row?.[0]).toBe(true);
    await front.postgres.query(`UPDATE leases SET expires_at = now() - interval '1 ms' WHERE resource = $1`, [resource]);
    expect((await agent.report('heartbeat', { running })).stop).toEqual([commandId, unknown]);
    await front.postgres.query('DELETE FROM commands WHERE id = $1', [commandId]);
  });

  it('are found by the sweep when Redis lost its hint', async () => {
    const agent = await newAgent();
    await agent.connect();
    const id = randomUUID();
    await front.postgres.query(
      `INSERT INTO commands (id, workspace_id, agent_id, sequence, type, resource, fence, state, payload, created_at, expires_at)
       VALUES ($1, $2, $3, 500, 'database:test', 'test', 0, 'queued', $4, now() - interval '3 seconds', now() + interval '1 hour')`,
      [id, owner.workspaceId, agent.id, JSON.stringify({ connection: CONNECTION })],
    );
    await untilState(id, 'accepted');
    expect(agent.commands.map(({ commandId }) => commandId)).toEqual([id]);
  });

  it('and agents are looked after by both watchdogs at once', async () => {
    const agent = await newAgent();
    await agent.connect();
    await front.postgres.query(`UPDATE agents SET last_seen_at = now() - interval '1 hour' WHERE id = $1`, [agent.id]);
    await Promise.all([front, back].map(({ app }) => app.get(AgentWatchdog).sweep()));
    const [row] = await front.postgres.query('SELECT session_id FROM agents WHERE id = $1', [agent.id]);
    expect(row?.[0]).toBeNull();
  });
});
