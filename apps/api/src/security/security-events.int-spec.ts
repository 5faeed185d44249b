import type { CreatedApiToken, SessionAnswer, StorageView } from '@rahatback/contracts';
import { testSecret } from '@rahatback/testing';
import type { Registered, RunningApi } from '../testing/start-api.js';
import { startApi, TEST_PASSWORD } from '../testing/start-api.js';

interface Event {
  readonly action: string;
  readonly actorType: string;
  readonly actorId: string | null;
  readonly at: string;
  readonly ip: string | null;
  readonly outcome: string;
  readonly detail: string;
}

describe('what concerns security', () => {
  let api: RunningApi;
  let owner: Registered;
  beforeAll(async () => {
    api = await startApi({ worker: false, config: { logLevel: 'silent' } });
    owner = await api.register();
  }, 60_000);
  afterAll(() => api?.stop());

  const call = async <T>(method: string, path: string, body?: unknown, token = owner.accessToken): Promise<T> =>
    (await api.call(method, path, { ...(token === '' ? {} : { token }), ...(body === undefined ? {} : { body }) })).body as T;
  const eventsOf = async (workspaceId: string): Promise<Event[]> => {
    const rows = await api.postgres.query(
      `SELECT action, actor_type, actor_id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SSOF'), ip, outcome, detail::text
       FROM audit_events WHERE workspace_id = $1 ORDER BY at`,
      [workspaceId],
    );
    return rows.map(
      ([action, actorType, actorId, at, ip, outcome, detail]) =>
        ({ action, actorType, actorId, at, ip, outcome, detail }) as Event,
    );
  };

  it('leaves a trace each: who, what, when, where from and how it ended, and no secret', async () => {
    const wrong = testSecret('person-password', { fresh: true });
    const storageSecret = testSecret('s3-secret', { fresh: true });
    const { email } = owner;
    await call('POST', '/v1/auth/login', { email, password: wrong }, '');
    const second = await call<SessionAnswer>('POST', '/v1/auth/login', { email, password: TEST_PASSWORD }, '');
    await call('POST', '/v1/auth/step-up', { password: wrong });
    await call('POST', '/v1/auth/step-up', { password: TEST_PASSWORD });
    const member = { email: 'second@example.com', name: 'Second', role: 'viewer', password: TEST_PASSWORD };
    await call('POST', '/v1/workspace/members', member);
    await call('PATCH', '/v1/workspace', { name: 'Renamed' });
    const token = await call<CreatedApiToken>('POST', '/v1/api-tokens', { name: 'Program', scopes: ['read'] });
    await call('DELETE', `/v1/api-tokens/${token.id}`);
    const storage = {
      storageType: 's3',
      name: 'cloud',
      s3Endpoint: 'http://127.0.0.1:1024',
      s3Bucket: 'bucket',
      s3AccessKeyId: 'key',
      s3SecretAccessKey: storageSecret,
    };
    const { id } = await call<StorageView>('POST', '/v1/storages', storage);
    await call('PATCH', `/v1/storages/${id}`, { name: 'renamed' });
    await call('DELETE', `/v1/storages/${id}`);
    await call('POST', '/v1/agents/enrol-codes', {});
    await call('POST', '/v1/auth/logout', { refreshToken: second.tokens.refreshToken }, '');

    const events = await eventsOf(owner.workspaceId);
    const needed: readonly [action: string, outcome: string][] = [
      ['workspace.created', 'success'],
      ['session.refused', 'failure'],
      ['session.started', 'success'],
      ['session.step_up_refused', 'failure'],
      ['session.stepped_up', 'success'],
      ['member.added', 'success'],
      ['workspace.updated', 'success'],
      ['api_token.created', 'success'],
      ['api_token.revoked', 'success'],
      ['storage.created', 'success'],
      ['storage.updated', 'success'],
      ['storage.deleted', 'success'],
      ['agent.enrol_code_created', 'success'],
      ['session.ended', 'success'],
    ];
    expect(
      needed.filter(([action, outcome]) => !events.some((event) => event.action === action && event.outcome === outcome)),
    ).toEqual([]);
    for (const event of events) {
      expect(event.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00$/);
      expect([event.action, event.ip]).toEqual([event.action, '127.0.0.1']);
      if (event.actorType === 'user') expect(event.actorId).toBe(owner.userId);
    }
    const text = JSON.stringify(events);
    for (const secret of [wrong, storageSecret, TEST_PASSWORD, token.token, second.tokens.accessToken])
      expect(text).not.toContain(secret);
    process.stdout.write(`${events.length} security events, ${needed.length} kinds\n`);
  });
});
