import type { ConnectionTestAnswer, DatabaseTestResult, DatabaseView, ErrorBody, Page, SealedSecret } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { CanarySet, scanRedis, startRedis, waitFor, watchRedis, type PrivateRedis, type RedisWatch } from '@rahatback/testing';
import { PassThrough } from 'node:stream';
import { startApi, type Registered, type RunningApi } from '../../testing/start-api.js';
import { enrolledAgent } from '../agents/testing/agent-scene.js';
import type { ScriptedAgent } from '../agents/testing/scripted-agent.js';

const FIELDS = { type: 'postgresql', host: 'localhost', port: 5432, username: 'app', database: 'shop' };

/** Two API processes, of which the second also works the queues, over one PostgreSQL and one Redis. */
describe('databases', () => {
  let front: RunningApi;
  let back: RunningApi;
  let owner: Registered;
  let agent: ScriptedAgent;
  let server: PrivateRedis;
  let redis: RedisWatch;
  let logged = '';
  const canaries = new CanarySet();

  beforeAll(async () => {
    const log = new PassThrough();
    log.on('data', (line: Buffer) => (logged += line.toString()));
    const config = { trustProxy: ['127.0.0.1'], outboxIntervalMs: 300, watchdogIntervalMs: 300, logLevel: 'trace' as const };
    server = await startRedis({ persist: false });
    // Before anybody talks to Redis: MONITOR begins in the middle of other traffic badly.
    redis = await watchRedis(canaries, server.url);
    front = await startApi({ config, worker: false, redis: server, logDestination: log });
    back = await startApi({
      config: { ...config, keysDir: front.config.keysDir },
      database: front.postgres,
      redis: server,
      logDestination: log,
    });
    owner = await front.register();
    agent = await enrolledAgent(front, owner);
  }, 60_000);
  afterAll(async () => {
    redis.stop();
    agent.disconnect();
    await back.stop();
    await front.stop();
    await server.stop();
  });

  const call = <T>(method: string, path: string, body?: object, person = owner) =>
    front.call(method, path, { token: person.accessToken, ...(body ? { body } : {}) }) as Promise<{ status: number; body: T }>;
  const create = (changes: object = {}, person = owner) =>
    call<DatabaseView & ErrorBody>('POST', '/v1/databases', { ...FIELDS, name: 'shop', agentId: agent.id, ...changes }, person);
  const test = (changes: object = {}) =>
    call<ConnectionTestAnswer & ErrorBody>('POST', '/v1/databases/test-connection', { ...FIELDS, ...changes });
  const dump = async (): Promise<string> => {
    const tables = await front.postgres.query(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`);
    const texts = [];
    for (const [table] of tables) texts.push(await front.postgres.query(`SELECT t::text FROM ${String(table)} t`));
    return JSON.stringify(texts);
  };

  it('need an agent: none online is 400 with the code', async () => {
    expect(await create({ agentId: undefined })).toMatchObject({ status: 400, body: { code: 'NO_AGENT_ONLINE' } });
    expect(await test()).toMatchObject({ status: 400, body: { code: 'NO_AGENT_ONLINE' } });
    expect(await test({ agentId: agent.id })).toMatchObject({
      status: 200,
      body: { success: false, code: 'AGENT_OFFLINE', agentId: agent.id },
    });
  });

  it.each([
    ['mysql', { type: 'mysql' }, 'ENGINE_UNSUPPORTED'],
    ['mongodb', { type: 'mongodb' }, 'ENGINE_UNSUPPORTED'],
    ['port 0', { port: 0 }, 'VALIDATION'],
    ['port 70000', { port: 70_000 }, 'VALIDATION'],
    ['port abc', { port: 'abc' }, 'VALIDATION'],
    ['a line break in the name', { database: 'a\nb' }, 'VALIDATION'],
    ['a NUL in the name', { database: 'a\u0000b' }, 'VALIDATION'],
    ['64 bytes', { database: 'x'.repeat(64) }, 'VALIDATION'],
    ['a URL as host', { host: 'file:///etc/passwd?x=1' }, 'VALIDATION'],
    ['an option as host', { host: '-h' }, 'VALIDATION'],
    ['an unknown field', { surprise: 1 }, 'VALIDATION'],
  ])('refuse %s', async (_what, changes, code) => {
    expect(await create(changes)).toMatchObject({ status: 400, body: { code } });
  });

  it.each(['-Fc', 'dbname=x', 'çok güzel', '🦜', "o'brien", 'a;b'])('are called %s without harm', async (database) => {
    const { status, body } = await create({ database });
    expect({ status, database: body.database }).toEqual({ status: 201, database });
    expect((await call<DatabaseView>('GET', `/v1/databases/${body.id}`)).body.database).toBe(database);
  });

  it('keep a password that only the agent can open, in its newest version', async () => {
    const [first, second] = [canaries.make('database-password'), canaries.make('database-password')];
    const { body } = await create({ password: first });
    expect(body).toMatchObject({ hasPassword: true, agentId: agent.id, serverVersion: null });
    const stored = async (): Promise<SealedSecret> =>
      (await front.postgres.query('SELECT password::text FROM databases WHERE id = $1', [body.id])).map(([text]) =>
        JSON.parse(String(text)),
      )[0] as SealedSecret;
    expect(await stored()).toMatchObject({ purpose: 'database-password', subject: body.id, version: 1 });
    expect((await agent.open(await stored())).toString()).toBe(first);
    await call('PATCH', `/v1/databases/${body.id}`, { name: 'renamed', password: second });
    expect((await stored()).version).toBe(2);
    expect((await agent.open(await stored())).toString()).toBe(second);
    expect((await call<DatabaseView>('PATCH', `/v1/databases/${body.id}`, { port: 5433 })).body).toMatchObject({
      name: 'renamed',
      port: 5433,
      hasPassword: true,
    });
    expect((await call<DatabaseView>('PATCH', `/v1/databases/${body.id}`, { password: '' })).body.hasPassword).toBe(false);
  });

  describe('tested through the agent', () => {
    /** After the receipt, as an honest agent does. */
    const reportLater = (report: DatabaseTestResult): void => {
      setImmediate(() => {
        agent.report('database:test:result', report).catch((error: unknown) => {
          throw error;
        });
      });
    };
    const honest = (): void => {
      agent.on('database:test', (command) => {
        const report = {
          commandId: command.commandId,
          fence: command.fence,
          success: true,
          serverVersion: '15.4',
          latencyMs: 3,
          clientTool: 'pg_dump 15.20',
          compatible: true,
        };
        reportLater(report);
      });
    };
    beforeAll(async () => {
      // Its socket is on the other process than the one that is asked.
      await agent.connect({}, back.url);
      honest();
    });
    afterEach(honest);

    it('answer across processes, with a password that only the agent sees', async () => {
      const password = canaries.make('database-password');
      const { status, body } = await test({ password });
      expect({ status, body }).toEqual({
        status: 200,
        body: {
          success: true,
          serverVersion: '15.4',
          latencyMs: 3,
          clientTool: 'pg_dump 15.20',
          compatible: true,
          agentId: agent.id,
        },
      });
      const command = agent.commands.at(-1);
      const [secret] = command?.sealed ?? [];
      if (!secret) throw new Error('no secret came');
      expect((await agent.open(secret)).toString()).toBe(password);
      expect(command?.payload).toMatchObject({ connection: { host: 'localhost', passwordRef: secret.ref } });
      // What was sealed for the test is gone with its end.
      expect(await front.postgres.query('SELECT sealed::text FROM commands WHERE id = $1', [command?.commandId])).toEqual([
        ['[]'],
      ]);
    });

    it('remember the version of a saved one', async () => {
      const { body } = await create({ password: canaries.make('database-password') });
      expect(await call('POST', `/v1/databases/${body.id}/test-connection`)).toMatchObject({
        status: 200,
        body: { success: true },
      });
      expect((await call<DatabaseView>('GET', `/v1/databases/${body.id}`)).body.serverVersion).toBe('15.4');
    });

    it("say in the agent's words why not", async () => {
      agent.on('database:test', ({ commandId, fence }) => {
        const error = { code: 'DB_AUTH_FAILED', message: 'PostgreSQL at localhost refused the password of app.' } as const;
        reportLater({ commandId, fence, success: false, error });
      });
      expect((await test()).body).toEqual({
        success: false,
        code: 'DB_AUTH_FAILED',
        message: 'PostgreSQL at localhost refused the password of app.',
        agentId: agent.id,
      });
      agent.on('database:test', () => {
        throw new AppError('TOOL_MISSING', 'No pg_dump here.');
      });
      expect((await test()).body).toMatchObject({ success: false, code: 'TOOL_MISSING' });
    });

    it('give up after thirty seconds with a sentence', async () => {
      agent.on('database:test', () => undefined);
      const startedAt = performance.now();
      const { status, body } = await test();
      const seconds = (performance.now() - startedAt) / 1000;
      expect({ status, code: body.code, success: body.success }).toEqual({
        status: 200,
        code: expect.stringMatching(/AGENT_TIMEOUT|COMMAND_EXPIRED/),
        success: false,
      });
      expect(seconds).toBeGreaterThan(28);
      expect(seconds).toBeLessThan(33);
    }, 40_000);
  });

  it('are deleted with their jobs, but not while work runs', async () => {
    const { body } = await create();
    const job = await call<{ id: string }>('POST', '/v1/backups/jobs', { databaseId: body.id, name: 'nightly' });
    expect(job.status).toBe(201);
    const [row] = await front.postgres.query('SELECT storage_id FROM jobs WHERE id = $1', [job.body.id]);
    await front.postgres.query(
      `INSERT INTO backups (id, workspace_id, job_id, database_id, storage_id, agent_id, status, backup_type, compression)
       VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, 'running', 'full', 'zstd')`,
      [owner.workspaceId, job.body.id, body.id, row?.[0], agent.id],
    );
    expect(await call('DELETE', `/v1/databases/${body.id}`)).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    expect(await call('DELETE', `/v1/backups/jobs/${job.body.id}`)).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    await front.postgres.query(`UPDATE backups SET status = 'failed' WHERE job_id = $1`, [job.body.id]);
    expect((await call('DELETE', `/v1/databases/${body.id}`)).status).toBe(204);
    for (const path of [`/v1/databases/${body.id}`, `/v1/backups/jobs/${job.body.id}`])
      expect((await call('GET', path)).status).toBe(404);
    const actions = await front.postgres.query('SELECT action FROM audit_events WHERE target_id = ANY($1)', [
      [body.id, job.body.id],
    ]);
    expect(actions.flat()).toEqual(expect.arrayContaining(['database.deleted', 'job.deleted']));
  });

  it('belong to their workspace', async () => {
    const stranger = await front.register();
    const { body } = await create();
    for (const [method, path, dto] of [
      ['GET', `/v1/databases/${body.id}`, undefined],
      ['PATCH', `/v1/databases/${body.id}`, { name: 'x' }],
      ['DELETE', `/v1/databases/${body.id}`, undefined],
      ['POST', `/v1/databases/${body.id}/test-connection`, undefined],
    ] as const) {
      expect((await call(method, path, dto, stranger)).status).toBe(404);
    }
    expect(await create({}, stranger)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect((await call<Page<DatabaseView>>('GET', '/v1/databases', undefined, stranger)).body.totalResults).toBe(0);
  });

  it('leave no password in PostgreSQL, Redis, logs or answers', async () => {
    await waitFor(() => redis.commands() > 0, { describe: 'Redis to be watched' });
    expect(canaries.find(await dump(), 'PostgreSQL')).toEqual([]);
    expect(await scanRedis(canaries, front.redis.url)).toEqual([]);
    expect(redis.stop()).toEqual([]);
    expect(logged.length).toBeGreaterThan(0);
    expect(canaries.find(logged, 'log')).toEqual([]);
    expect(canaries.find(JSON.stringify(await call('GET', '/v1/databases?limit=100')), 'answers')).toEqual([]);
  });
});
