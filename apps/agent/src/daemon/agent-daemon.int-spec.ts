import { randomInt } from 'node:crypto';
import { cp, readFile } from 'node:fs/promises';
import type { CommandEnvelope } from '@rahatback/contracts';
import { AppError, ok } from '@rahatback/contracts';
import { seededRandom, tempDir, waitFor, type TempDir } from '@rahatback/testing';
import { failureOutcome, reportBase, type Execution, type Executors, type Outcome } from '../commands/executor.js';
import { createLog } from '../log.js';
import { AgentHome } from '../state/agent-home.js';
import { readGeneration } from '../state/session.store.js';
import { readStatus } from '../state/status.store.js';
import {
  backupPayload,
  CONNECTION,
  enrolInto,
  envelope,
  newAgent,
  signed,
  type EnrolledAgent,
} from '../testing/command-factory.js';
import { ScriptedServer } from '../testing/scripted-server.js';
import { AgentDaemon } from './agent-daemon.js';

/** The daemon with a real socket, journal, lock and signatures; only what a command does is counted instead of done. */
describe('the daemon against a server', () => {
  let dir: TempDir;
  let home: AgentHome;
  let server: ScriptedServer;
  let agent: EnrolledAgent;
  let daemon: AgentDaemon | undefined;
  const copies: TempDir[] = [];
  const executed = new Map<string, number>();
  let work: (execution: Execution) => Promise<Outcome>;

  beforeEach(async () => {
    dir = await tempDir('rahatback-daemon-');
    home = new AgentHome(dir.path);
    server = await ScriptedServer.start();
    agent = newAgent(server.url);
    server.expect(agent);
    await enrolInto(home, agent);
    executed.clear();
    work = async ({ command }) => completed(command);
  });
  afterEach(async () => {
    await daemon?.stop();
    daemon = undefined;
    await server.close();
    for (const copy of [dir, ...copies.splice(0)]) await copy.remove();
  });

  const completed = (command: CommandEnvelope): Outcome => ({
    state: 'succeeded',
    result: { event: 'database:test:result', message: { ...reportBase(command), success: true } },
  });

  /** Ends only when it is stopped. */
  const endless = ({ command, signal }: Execution): Promise<Outcome> =>
    new Promise((resolve) => signal.addEventListener('abort', () => resolve(failureOutcome(command, signal.reason))));

  async function start(): Promise<AgentDaemon> {
    const execute = (execution: Execution): Promise<Outcome> => {
      executed.set(execution.command.commandId, (executed.get(execution.command.commandId) ?? 0) + 1);
      return work(execution);
    };
    const executors: Executors = { 'database:test': execute, 'job:execute': execute, 'restore:execute': execute };
    daemon = await AgentDaemon.start({
      home,
      config: { concurrency: 2 },
      log: createLog('silent'),
      parts: {
        tools: async () => [{ name: 'pg_dump', version: '15.1', path: '/bin' }],
        executors: () => executors,
        interrupted: () => ({
          killChild: () => false,
          dropStaging: async () => undefined,
          reopen: async () => undefined,
          isRestored: async () => false,
          settleFiles: async () => null,
        }),
        maxReconnectDelayMs: 200,
      },
    });
    return daemon;
  }

  const online = (): Promise<unknown> =>
    waitFor(async () => server.isConnected && server.journals.length > 0 && (await readStatus(home))?.link === 'online', {
      describe: 'the agent to be online',
    });
  const test = (fields: Partial<CommandEnvelope<'database:test'>> = {}): CommandEnvelope<'database:test'> =>
    envelope(agent, 'database:test', { payload: { connection: CONNECTION }, ...fields });
  const backup = (fields: Partial<CommandEnvelope<'job:execute'>> = {}): CommandEnvelope<'job:execute'> =>
    envelope(agent, 'job:execute', { payload: backupPayload(), ...fields });

  it('proves who it is, keeps its generation, and reports its tools', async () => {
    await start();
    await online();
    expect(server.registrations[0]).toMatchObject({
      agentId: agent.identity.agentId,
      generation: 0,
      protocol: 1,
      tools: [{ name: 'pg_dump' }],
    });
    expect(await readGeneration(home)).toBe(1);
    server.breakConnection();
    await waitFor(() => server.registrations.length === 2, { describe: 'the second registration' });
    expect(server.registrations[1]?.generation).toBe(1);
    await waitFor(async () => (await readGeneration(home)) === 2, { describe: 'the second generation on the disk' });
  });

  it('runs 1,000 commands, each sent 10 times in any order, 1,000 times', async () => {
    // Ten thousand frames at once keep this one process busy for longer than three short beats.
    server.script = { heartbeatIntervalMs: 15_000 };
    await start();
    await online();
    const commands = Array.from({ length: 1_000 }, (_, index) =>
      index % 2 === 0 ? test() : backup({ resource: `backup:${index}` }),
    );
    const frames = commands.map((command) => ({ command, frame: signed(agent, command) }));
    const random = seededRandom(randomInt(2 ** 31));
    const deliveries = random.shuffle(Array.from({ length: 10 }, () => frames).flat());
    const answers = await Promise.all(
      deliveries.map(async ({ command, frame }) => ({
        id: command.commandId,
        answer: await server.sendRaw(command.type, frame, 100_000),
      })),
    );
    expect(answers.filter(({ id, answer }) => !answer.ok || answer.value.commandId !== id)).toEqual([]);
    await waitFor(() => server.results().length >= 1_000, { describe: 'all results', timeoutMs: 60_000 });
    expect([...executed.values()].filter((count) => count !== 1)).toEqual([]);
    expect(executed.size).toBe(1_000);
    expect(new Set(server.results().map(({ message }) => message.commandId)).size).toBe(1_000);
  }, 180_000);

  it('sends a result again until the server confirms it, over broken connections and a restart', async () => {
    let confirms = false;
    server.script = { answer: () => (confirms ? ok({ confirmed: true }) : undefined) };
    await start();
    await online();
    const command = test();
    await server.send(command);
    await waitFor(() => server.results().length === 1, { describe: 'the result' });
    server.breakConnection();
    await waitFor(() => server.results().length === 2, { describe: 'the result on the second connection' });
    await daemon?.stop();
    await start();
    await waitFor(() => server.results().length === 3, { describe: 'the result after the restart' });
    expect(server.journals.at(-1)).toMatchObject([{ commandId: command.commandId, state: 'succeeded' }]);
    confirms = true;
    server.breakConnection();
    await waitFor(() => server.results().length === 4, { describe: 'the result that is confirmed' });
    const seen = server.journals.length;
    server.breakConnection();
    await waitFor(() => server.journals.length > seen, { describe: 'the journal after the confirmation' });
    expect(server.journals.at(-1)).toEqual([]);
    expect([...executed.values()]).toEqual([1]);
    expect(new Set(server.results().map(({ message }) => JSON.stringify(message))).size).toBe(1);
  });

  it('forgets what the server has, and stops what it no longer wants', async () => {
    work = endless;
    await start();
    await online();
    const [first, second] = [backup({ resource: 'backup:1' }), backup({ resource: 'backup:2' })];
    await server.send(first);
    await server.send(second);
    await waitFor(() => executed.size === 2, { describe: 'both to run' });
    server.script = { stop: () => [first.commandId], forget: () => [second.commandId] };
    server.breakConnection();
    await waitFor(() => server.results().length === 2, { describe: 'both to be stopped' });
    expect(server.results().map(({ message }) => message.error)).toMatchObject([{ code: 'FENCED' }, { code: 'FENCED' }]);
  });

  it('runs two at once and the third after them, and never two of one resource', async () => {
    const ends: (() => void)[] = [];
    work = ({ command }) => new Promise((resolve) => ends.push(() => resolve(completed(command))));
    await start();
    await online();
    await server.send(backup({ resource: 'backup:a', fence: 1 }));
    await server.send(backup({ resource: 'backup:b' }));
    await server.send(backup({ resource: 'backup:c' }));
    const probe = test();
    await server.send(probe);
    await waitFor(() => executed.has(probe.commandId), { describe: 'the connection test, which waits for nobody' });
    expect(executed.size).toBe(3);
    ends[0]?.();
    await waitFor(() => executed.size === 4, { describe: 'the third backup' });
    ends.forEach((end) => end());
    await waitFor(() => server.results().length === 4, { describe: 'all results' });
  });

  it('ends an attempt when a newer one on its resource comes', async () => {
    work = endless;
    await start();
    await online();
    const old = backup({ resource: 'backup:a', fence: 1 });
    const newer = backup({ resource: 'backup:a', fence: 2 });
    await server.send(old);
    await waitFor(() => executed.has(old.commandId), { describe: 'the first attempt' });
    await server.send(newer);
    await waitFor(() => executed.has(newer.commandId), { describe: 'the second attempt' });
    expect(server.results()).toMatchObject([{ message: { commandId: old.commandId, error: { code: 'FENCED' } } }]);
  });

  it.each([['running'], ['queued']])('cancels one that is %s within moments, once', async (state) => {
    work = endless;
    await start();
    await online();
    for (const resource of state === 'queued' ? ['x', 'y'] : []) await server.send(backup({ resource }));
    const target = backup({ resource: 'backup:a' });
    await server.send(target);
    if (state === 'running') await waitFor(() => executed.has(target.commandId), { describe: 'the backup to run' });
    const cancel = envelope(agent, 'job:cancel', { payload: { targetCommandId: target.commandId }, resource: 'backup:a' });
    const receipts = [await server.send(cancel), await server.send(cancel)];
    const receipt = { ok: true, value: { commandId: cancel.commandId, state: 'succeeded' } };
    expect(receipts).toEqual([receipt, receipt]);
    await waitFor(() => server.results().length === 1, { describe: 'the result', timeoutMs: 5_000 });
    expect(server.results('backup:failed')).toMatchObject([
      { message: { commandId: target.commandId, error: { code: 'CANCELLED' } } },
    ]);
    expect(await server.send(target)).toMatchObject({ value: { state: 'cancelled' } });
  });

  it('ends a command at its time limit', async () => {
    work = endless;
    await start();
    await online();
    await server.send(backup({ payload: backupPayload({ timeLimitMs: 50 }) }));
    await waitFor(() => server.results('backup:failed').length === 1, { describe: 'the result' });
    expect(server.results()[0]?.message.error).toMatchObject({ code: 'TIME_LIMIT' });
  });

  it('notices a server that has fallen silent, and comes back', async () => {
    let answers = true;
    server.script = { heartbeatIntervalMs: 100, answersHeartbeats: () => answers };
    await start();
    await online();
    answers = false;
    await waitFor(() => server.registrations.length >= 2, { describe: 'a new connection', timeoutMs: 10_000 });
    answers = true;
    await server.send(test());
    await waitFor(() => server.results().length === 1, { describe: 'a result on it' });
  });

  it('says who it is first, also when its clock steps while it asks', async () => {
    await start();
    await online();
    // The client library takes the server for gone, and what is asked then for later.
    const now = Date.now.bind(Date);
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000);
    try {
      await server.send(test());
      await waitFor(() => server.results().length === 1, { describe: 'the result on a new connection' });
    } finally {
      clock.mockRestore();
    }
    expect(server.firstEvents).toEqual(server.registrations.map(() => 'agent:register'));
    expect(server.registrations.length).toBeGreaterThan(1);
  });

  it('gives work up when it was out of touch for longer than its lease', async () => {
    work = endless;
    server.script = { heartbeatIntervalMs: 200, leaseMs: 1_500 };
    await start();
    await online();
    const command = backup();
    await server.send(command);
    await waitFor(() => executed.size === 1, { describe: 'the backup to run' });
    const refuse = new AppError('UNAVAILABLE', 'Not now.');
    server.script = { ...server.script, refuse: () => refuse };
    server.breakConnection();
    await waitFor(async () => (await readFailure(command.commandId))?.includes('LEASE_EXPIRED'), {
      describe: 'the end of the lease',
    });
    server.script = {};
    await waitFor(() => server.results('backup:failed').length === 1, { describe: 'the late result', timeoutMs: 20_000 });
    expect(server.results()[0]?.message.error).toMatchObject({ code: 'LEASE_EXPIRED' });
  });

  const readFailure = async (commandId: string): Promise<string | undefined> => {
    return (await readFile(home.journalFile, 'utf8'))
      .split('\n')
      .find((line) => line.includes('"ended"') && line.includes(commandId));
  };

  it('stays away when it was revoked', async () => {
    const started = await start();
    await online();
    server.cut(new AppError('AGENT_REVOKED', 'Revoked.'));
    expect(await started.revoked).toMatchObject({ code: 'AGENT_REVOKED' });
    await waitFor(() => !server.isConnected, { describe: 'the connection to end' });
    await waitFor(async () => (await readStatus(home))?.link === 'refused', { describe: 'the status' });
  });

  it('says that it is quarantined when its generation is old, and does not storm the server', async () => {
    server.script = { refuse: () => new AppError('AGENT_QUARANTINED', 'Compare the fingerprint.') };
    await start();
    await waitFor(async () => (await readStatus(home))?.link === 'quarantined', { describe: 'the status' });
    expect((await readStatus(home))?.lastError).toContain('AGENT_QUARANTINED');
  });

  it('refuses a server that is not the one it was enrolled with', async () => {
    server.expect({ ...agent, identity: { ...agent.identity, serverId: 'another' } });
    await start();
    await waitFor(async () => (await readStatus(home))?.lastError?.includes('not the server'), { describe: 'the refusal' });
    expect(server.registrations).toEqual([]);
  });

  it('is alone on its home', async () => {
    const first = await start();
    await expect(start()).rejects.toMatchObject({ code: 'CONFLICT' });
    daemon = first;
  });

  it('starts what it had accepted and not begun when the last process ended, once the server still wants it', async () => {
    work = endless;
    await start();
    await online();
    const commands = ['a', 'b', 'c'].map((name) => backup({ resource: `backup:${name}` }));
    for (const command of commands) await server.send(command);
    await waitFor(() => executed.size === 2, { describe: 'two of three to run' });
    work = async ({ command }) => completed(command);
    const killed = commands[2] as CommandEnvelope;
    expect(executed.has(killed.commandId)).toBe(false);
    await crash();
    await start();
    await waitFor(() => server.results().length === 3, { describe: 'three results' });
    const outcomes = Object.fromEntries(server.results().map(({ event, message }) => [String(message.commandId), event]));
    expect(commands.map(({ commandId }) => outcomes[commandId])).toEqual([
      'backup:failed',
      'backup:failed',
      'database:test:result',
    ]);
    expect(commands.map(({ commandId }) => executed.get(commandId))).toEqual([1, 1, 1]);
  });

  /** What SIGKILL leaves: a copy of the home as it is on the disk, taken over by a new process. */
  async function crash(): Promise<void> {
    const copy = await tempDir('rahatback-daemon-copy-');
    copies.push(copy);
    await cp(home.path, copy.path, { recursive: true });
    await daemon?.stop();
    server.received.length = 0;
    home = new AgentHome(copy.path);
  }
});
