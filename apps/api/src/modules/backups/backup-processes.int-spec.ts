import type { BackupPayload, CommandEnvelope, RestorePayload, RunAnswer } from '@rahatback/contracts';
import { generateRecoveryIdentity } from '@rahatback/crypto';
import { waitFor } from '@rahatback/testing';
import { io, type Socket } from 'socket.io-client';
import type { Registered, RunningApi } from '../../testing/start-api.js';
import { startApi } from '../../testing/start-api.js';
import { enrolledAgent } from '../agents/testing/agent-scene.js';
import type { ScriptedAgent } from '../agents/testing/scripted-agent.js';
import { DoorAgent, EMPTY_WORDS, type SentCommand } from './testing/backup-scene.js';

/** Speaks over the real connection of a scripted agent. */
class SocketAgent extends DoorAgent {
  constructor(
    api: RunningApi,
    workspaceId: string,
    private readonly scripted: ScriptedAgent,
  ) {
    super(api, workspaceId, { id: scripted.id, signing: scripted.identity.sign, sealing: scripted.identity.seal });
  }

  override async say<T>(event: string, message: object): Promise<T> {
    return (await this.scripted.send(event, message)) as T;
  }
}

describe('backups over two API processes, a worker and sockets', () => {
  let front: RunningApi;
  let back: RunningApi;
  let person: Registered;
  let scripted: ScriptedAgent;
  let agent: SocketAgent;
  let page: Socket;
  let jobId: string;
  const heard: { event: string; historyId?: string; status?: string }[] = [];

  const call = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const answer = await front.call(method, path, { token: person.accessToken, ...(body === undefined ? {} : { body }) });
    if (answer.status >= 300) throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body as T;
  };

  beforeAll(async () => {
    const config = { watchdogIntervalMs: 200, outboxIntervalMs: 200, trustProxy: ['127.0.0.1'] };
    front = await startApi({ worker: false, config });
    back = await startApi({
      database: front.postgres,
      redis: front.redis,
      config: { ...config, keysDir: front.config.keysDir, storageRoot: front.config.storageRoot },
    });
    person = await front.register();
    await call('PATCH', '/v1/workspace', { recoveryRecipient: (await generateRecoveryIdentity()).recipient });
    scripted = await enrolledAgent(front, person);
    await scripted.connect({}, back.url);
    agent = new SocketAgent(back, person.workspaceId, scripted);
    const connection = {
      type: 'postgresql',
      host: 'localhost',
      port: 5432,
      username: 'shop',
      password: 'geheim',
      database: 'shop',
    };
    const database = await call<{ id: string }>('POST', '/v1/databases', { name: 'Shop', ...connection });
    const storage = await call<{ id: string }>('POST', '/v1/storages', { storageType: 'local', name: 'Disk' });
    const job = { databaseId: database.id, name: 'Nightly', compression: 'none', cloudStorageId: storage.id };
    jobId = (await call<{ id: string }>('POST', '/v1/backups/jobs', job)).id;
    page = io(front.url, {
      auth: { token: person.accessToken },
      extraHeaders: { origin: front.url },
      transports: ['websocket'],
      forceNew: true,
    });
    page.onAny((event: string, payload: object) => heard.push({ event, ...payload }));
    await waitFor(() => page.connected, { describe: 'the page to be connected' });
  }, 90_000);
  afterAll(async () => {
    page?.disconnect();
    scripted?.disconnect();
    await back?.stop();
    await front?.stop();
  });

  const run = (): Promise<RunAnswer> => call('POST', `/v1/backups/jobs/${jobId}/run`);
  const statusOf = async (id: string): Promise<string> =>
    (await call<{ status: string }>('GET', `/v1/backups/history/${id}`)).status;
  const arrived = <T>(matches: (command: CommandEnvelope) => boolean): Promise<SentCommand<T>> =>
    waitFor(
      () => {
        const found = scripted.commands.find(matches);
        return found && { id: found.commandId, fence: found.fence, payload: found.payload as T, state: 'accepted' };
      },
      { describe: 'the command to arrive' },
    );
  const orderOf = (backupId: string, attempt = 1): Promise<SentCommand<BackupPayload>> =>
    arrived(({ type, payload }) => {
      const order = payload as BackupPayload;
      return type === 'job:execute' && order.location.backupId === backupId && order.attempt === attempt;
    });
  const untilHeard = (event: string, historyId: string) =>
    waitFor(() => heard.find((one) => one.event === event && one.historyId === historyId), { describe: `${event} to be heard` });

  it('go from one process through the other to the agent and back to the page', async () => {
    const { historyId } = await run();
    const command = await orderOf(historyId);
    await untilHeard('backup:started', historyId);
    await agent.completeBackup(command);
    expect(await untilHeard('backup:completed', historyId)).toMatchObject({ status: 'success' });
    expect(await statusOf(historyId)).toBe('success');
    expect(scripted.forged).toEqual([]);

    const restore = await call<{ restoreHistoryId: string }>('POST', `/v1/backups/history/${historyId}/restore`, {});
    const order = await arrived<RestorePayload>(({ type }) => type === 'restore:execute');
    expect(order.payload.restoreId).toBe(restore.restoreHistoryId);
    const { targetDatabase, restoreId } = order.payload;
    const done = { ...agent.report(order), restoreId, targetDatabase, tables: [], bytesRestored: 0, ...EMPTY_WORDS };
    await agent.say('restore:completed', done);
    expect(await untilHeard('restore:completed', historyId)).toMatchObject({ status: 'success' });
  });

  it('tell the agent of a cancel, and stop it through its heartbeat if it did not hear', async () => {
    const { historyId } = await run();
    const command = await orderOf(historyId);
    await call('POST', `/v1/backups/history/${historyId}/cancel`);
    expect(await untilHeard('backup:failed', historyId)).toMatchObject({ status: 'cancelled' });
    await arrived(
      ({ type, payload }) => type === 'job:cancel' && (payload as { targetCommandId: string }).targetCommandId === command.id,
    );
    const running = [{ commandId: command.id, resource: `backup:${jobId}`, fence: command.fence }];
    expect((await scripted.report('heartbeat', { running })).stop).toEqual([command.id]);
  });

  it('try again under a new fence when the agent comes back without memory, and fence the old attempt off', async () => {
    const { historyId } = await run();
    const first = await orderOf(historyId);
    scripted.disconnect();
    await scripted.connect({}, back.url);
    const second = await orderOf(historyId, 2);
    expect(second.fence).toBeGreaterThan(first.fence);
    await expect(agent.fail(first, 'DUMP_FAILED')).resolves.toEqual({ confirmed: true });
    await agent.completeBackup(second);
    expect(await statusOf(historyId)).toBe('success');
  });

  it('start one backup when both processes are asked a hundred times', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        (index % 2 === 0 ? front : back).call('POST', `/v1/backups/jobs/${jobId}/run`, { token: person.accessToken }),
      ),
    );
    const started = answers.filter(({ status }) => status === 201);
    expect([started.length, answers.filter(({ status }) => status === 409).length]).toEqual([1, 99]);
    const { historyId } = started[0]?.body as RunAnswer;
    await agent.completeBackup(await orderOf(historyId));
    expect(scripted.commands.filter(({ type, payload }) => isFor(type, payload, historyId))).toHaveLength(1);
  });

  const isFor = (type: string, payload: unknown, historyId: string): boolean =>
    type === 'job:execute' && (payload as BackupPayload).location.backupId === historyId;
});
