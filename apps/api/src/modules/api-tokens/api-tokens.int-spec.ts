import type { ApiTokenScope, ApiTokenView, AuditView, CreatedApiToken, Page, Role } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import { io } from 'socket.io-client';
import { ApiTokenAdmission } from './api-token-admission.service.js';
import { newApiToken } from './api-token-secret.js';
import { enrolTotp } from '../auth/testing/authenticator.js';
import { listen } from '../../authorisation/testing/sockets.js';
import { LiveEvents } from '../../platform/realtime/live-events.js';
import type { Registered, RunningApi } from '../../testing/start-api.js';
import { startApi, TEST_PASSWORD } from '../../testing/start-api.js';

const LIMIT = 500;
const DAY_MS = 86_400_000;

describe('API tokens', () => {
  let api: RunningApi;
  let owner: Registered;
  beforeAll(async () => {
    api = await startApi({ worker: false });
    owner = await api.register();
  }, 60_000);
  afterAll(() => api?.stop());

  const create = (token: string, scopes: ApiTokenScope[], more: object = {}) =>
    api.call('POST', '/v1/api-tokens', { token, body: { name: 'CI', scopes, ...more } });
  const made = async (token: string, ...scopes: ApiTokenScope[]): Promise<CreatedApiToken> =>
    (await create(token, scopes)).body as CreatedApiToken;
  const get = async (token: string, path = '/v1/workspace'): Promise<string> => {
    const { status, body } = await api.call('GET', path, { token });
    return status < 400 ? String(status) : `${status} ${(body as { code: string }).code}`;
  };
  const list = async (token: string): Promise<ApiTokenView[]> =>
    (await api.call('GET', '/v1/api-tokens', { token })).body as ApiTokenView[];
  const member = async (role: Role): Promise<{ accessToken: string; userId: string }> => {
    const email = `${role}-${Math.floor(performance.now() * 1000)}@example.com`;
    const body = { email, name: role, password: TEST_PASSWORD, role };
    const { body: person } = await api.call('POST', '/v1/workspace/members', { token: owner.accessToken, body });
    const answer = await api.call('POST', '/v1/auth/login', { body: { email, password: TEST_PASSWORD } });
    const { tokens } = answer.body as { tokens: { accessToken: string } };
    return { accessToken: tokens.accessToken, userId: (person as { id: string }).id };
  };

  it('are shown once, kept as a hash, and live 90 days unless another time up to a year is said', async () => {
    const { status, body } = await create(owner.accessToken, ['read']);
    const token = body as CreatedApiToken;
    expect([status, token.token.slice(0, 10)]).toEqual([201, token.prefix]);
    expect(Math.abs(Date.parse(token.expiresAt) - Date.now() - 90 * DAY_MS)).toBeLessThan(60_000);
    const rows =
      JSON.stringify(await api.postgres.query('SELECT * FROM api_tokens')) + JSON.stringify(await list(owner.accessToken));
    expect(rows).toContain(token.prefix);
    expect(rows).not.toContain(token.token.slice(10, 30));
    const year = (await create(owner.accessToken, ['read'], { expiresInDays: 365 })).body as CreatedApiToken;
    expect(Math.abs(Date.parse(year.expiresAt) - Date.now() - 365 * DAY_MS)).toBeLessThan(60_000);
    const wrong = [
      await create(owner.accessToken, ['read'], { expiresInDays: 366 }),
      await create(owner.accessToken, []),
      await create(owner.accessToken, ['everything' as ApiTokenScope]),
      await create(owner.accessToken, ['read', 'read']),
      await create(owner.accessToken, ['read'], { userId: owner.userId }),
    ];
    expect(wrong.map((answer) => answer.status)).toEqual([400, 400, 400, 400, 400]);
  });

  it('do what their scopes say, and name themselves in the audit log', async () => {
    const reader = await made(owner.accessToken, 'read');
    const builder = (await create(owner.accessToken, ['setup:write'], { name: 'Terraform' })).body as CreatedApiToken;
    const disk = { storageType: 'local', name: 'Disk', path: 'disk' };
    expect([await get(reader.token), await get(builder.token)]).toEqual(['200', '403 SCOPE_MISSING']);
    expect((await api.call('POST', '/v1/storages', { token: reader.token, body: disk })).body).toMatchObject({
      code: 'SCOPE_MISSING',
      details: { scope: 'setup:write' },
    });
    expect((await api.call('POST', '/v1/storages', { token: builder.token, body: disk })).status).toBe(201);
    const rows = await api.postgres.query(
      `SELECT actor_id, detail->'apiToken' FROM audit_events WHERE action = 'storage.created' AND workspace_id = '${owner.workspaceId}'`,
    );
    expect(rows).toEqual([[owner.userId, { id: builder.id, name: 'Terraform' }]]);
    const { results } = (await api.call('GET', '/v1/audit', { token: reader.token })).body as Page<AuditView>;
    expect(results.slice(0, 2).map(({ action, apiToken }) => [action, apiToken])).toEqual([
      ['storage.created', 'Terraform'],
      ['api_token.created', null],
    ]);
  });

  it('may nothing that a person must do themselves, whatever their scopes', async () => {
    const { token } = await made(owner.accessToken, 'read', 'backups:run', 'restores:run', 'setup:write', 'admin');
    const asked: [method: string, path: string, body?: object][] = [
      ['POST', '/v1/api-tokens', { name: 'Child', scopes: ['read'] }],
      ['GET', '/v1/api-tokens'],
      ['POST', '/v1/auth/step-up', { password: TEST_PASSWORD }],
      ['POST', '/v1/auth/password', { currentPassword: TEST_PASSWORD, newPassword: 'kalem masa deniz tuz' }],
      ['GET', '/v1/auth/sessions'],
      ['POST', '/v1/auth/totp/enrol'],
      ['DELETE', '/v1/auth/totp'],
      ['PATCH', '/v1/workspace', { name: 'Mine' }],
      ['POST', '/v1/workspace/members', { email: 'a@example.com', name: 'A', password: TEST_PASSWORD, role: 'owner' }],
    ];
    for (const [method, path, body] of asked) {
      const answer = await api.call(method, path, { token, ...(body ? { body } : {}) });
      expect([path, answer.status, (answer.body as { code: string }).code]).toEqual([path, 403, 'FORBIDDEN']);
    }
  });

  it('never go beyond what their maker may do now, and end with them', async () => {
    const admin = await member('admin');
    const { token } = await made(admin.accessToken, 'admin');
    const disk = { storageType: 'local', name: 'Disk two', path: 'disk2' };
    const write = async () => (await api.call('POST', '/v1/storages', { token, body: disk })).status;
    expect(await write()).toBe(201);
    await api.postgres.query(`UPDATE memberships SET role = 'viewer' WHERE user_id = '${admin.userId}'`);
    expect([await write(), await get(token)]).toEqual([403, '200']);
    await api.postgres.query(`DELETE FROM memberships WHERE user_id = '${admin.userId}'`);
    expect(await get(token)).toBe('401 UNAUTHENTICATED');
    const viewer = await member('viewer');
    expect((await create(viewer.accessToken, ['read'])).status).toBe(201);
    const beyond = await create(viewer.accessToken, ['read', 'backups:run']);
    expect([beyond.status, (beyond.body as { message: string }).message]).toEqual([403, expect.stringContaining('backups:run')]);
  });

  it('end at once: revoked, expired, and with their sockets', async () => {
    const { token, id } = await made(owner.accessToken, 'read');
    const socket = await listen(api.url, token);
    if (typeof socket === 'string') throw new Error(socket);
    let isCut = false;
    socket.once('disconnect', () => (isCut = true));
    const revoke = async () => (await api.call('DELETE', `/v1/api-tokens/${id}`, { token: owner.accessToken })).status;
    expect((await Promise.all([revoke(), revoke()])).sort()).toEqual([204, 404]);
    expect(await get(token)).toBe('401 UNAUTHENTICATED');
    await waitFor(() => isCut, { describe: 'the socket is cut' });
    expect(await listen(api.url, token)).toBe('UNAUTHENTICATED');
    const old = await made(owner.accessToken, 'read');
    await api.postgres.query(`UPDATE api_tokens SET expires_at = now() - interval '1 second' WHERE id = '${old.id}'`);
    expect(await get(old.token)).toBe('401 UNAUTHENTICATED');
    expect((await list(owner.accessToken)).find((view) => view.id === id)?.revokedAt).toEqual(expect.any(String));
  });

  it('are refused when they were never made, without a look into the database where the checksum is wrong', async () => {
    const find = jest.spyOn(api.database, 'asSystem');
    const { token } = await made(owner.accessToken, 'read');
    find.mockClear();
    for (const wrong of [
      'rbk_',
      `rbk_${'A'.repeat(49)}`,
      `${token.slice(0, -1)}${token.endsWith('a') ? 'b' : 'a'}`,
      `${token}a`,
    ]) {
      expect(await get(wrong)).toBe('401 UNAUTHENTICATED');
    }
    expect(find).not.toHaveBeenCalled();
    expect(await get(newApiToken())).toBe('401 UNAUTHENTICATED');
    expect(find).toHaveBeenCalledTimes(1);
    find.mockRestore();
  });

  it('are seen and revoked by their maker, and by admins of the same workspace', async () => {
    const [operator, other, stranger] = [await member('operator'), await member('operator'), await api.register()];
    const { id } = await made(operator.accessToken, 'backups:run');
    const sees = async (token: string): Promise<boolean> => (await list(token)).some((view) => view.id === id);
    expect([await sees(operator.accessToken), await sees(other.accessToken), await sees(owner.accessToken)]).toEqual([
      true,
      false,
      true,
    ]);
    expect(await sees(stranger.accessToken)).toBe(false);
    const revoke = async (token: string) => (await api.call('DELETE', `/v1/api-tokens/${id}`, { token })).status;
    expect([await revoke(other.accessToken), await revoke(stranger.accessToken), await revoke(owner.accessToken)]).toEqual([
      404, 404, 204,
    ]);
  });

  it('say when and from where they were last used, to the minute', async () => {
    const { token, id } = await made(owner.accessToken, 'read');
    const used = async () => (await list(owner.accessToken)).find((view) => view.id === id);
    expect(await used()).toMatchObject({ lastUsedAt: null, lastUsedIp: null });
    await api.call('POST', '/v1/auth/step-up', { token, body: {} });
    expect(await used()).toMatchObject({ lastUsedAt: null });
    await get(token);
    const first = await used();
    expect(first).toMatchObject({ lastUsedAt: expect.any(String), lastUsedIp: expect.stringContaining('127.0.0.1') });
    await get(token);
    expect((await used())?.lastUsedAt).toBe(first?.lastUsedAt);
  });

  it('hear the events of their workspace where they may read, from no page but as a program', async () => {
    const { token } = await made(owner.accessToken, 'read');
    expect(await listen(api.url, (await made(owner.accessToken, 'backups:run')).token)).toBe('SCOPE_MISSING');
    const program = io(`${api.url}/`, { transports: ['websocket'], reconnection: false, forceNew: true, auth: { token } });
    const heard: unknown[] = [];
    program.on('agent:status', (payload: unknown) => heard.push(payload));
    await new Promise((resolve, reject) => {
      program.once('connect', () => resolve(undefined));
      program.once('connect_error', reject);
    });
    api.app.get(LiveEvents).toWorkspace(owner.workspaceId, 'agent:status', { agentId: 'x' } as never);
    await waitFor(() => heard.length === 1, { describe: 'the event' });
    program.disconnect();
    const evil = io(`${api.url}/`, {
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
      auth: { token },
      extraHeaders: { origin: 'https://evil.example' },
    });
    await new Promise((resolve) => evil.once('connect_error', resolve));
    expect(evil.connected).toBe(false);
    evil.disconnect();
  });

  it('stop where the workspace asks for an authenticator that their maker has not', async () => {
    const boss = await api.register();
    await enrolTotp(api, boss.accessToken);
    const email = `late-${boss.userId}@example.com`;
    await api.call('POST', '/v1/workspace/members', {
      token: boss.accessToken,
      body: { email, name: 'Late', password: TEST_PASSWORD, role: 'operator' },
    });
    const answer = await api.call('POST', '/v1/auth/login', { body: { email, password: TEST_PASSWORD } });
    const { tokens } = answer.body as { tokens: { accessToken: string } };
    const { token } = await made(tokens.accessToken, 'read');
    expect(await get(token)).toBe('200');
    await api.call('PATCH', '/v1/workspace', { token: boss.accessToken, body: { requireTotp: true } });
    expect(await get(token)).toBe('403 TOTP_REQUIRED');
    expect(await listen(api.url, token)).toBe('TOTP_REQUIRED');
  });

  it('need a fresh log-in to be made, and fifty are enough, also for many at the same moment', async () => {
    const person = await api.register();
    await api.postgres.query(
      `INSERT INTO api_tokens (id, workspace_id, user_id, name, prefix, token_sha256, scopes, expires_at)
       SELECT gen_random_uuid(), '${person.workspaceId}', '${person.userId}', 'many', 'rbk_xxxxxx', gen_random_uuid()::text, '{read}', now() + interval '1 day'
       FROM generate_series(1, 48)`,
    );
    const answers = await Promise.all(Array.from({ length: 5 }, () => create(person.accessToken, ['read'])));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 409, 409, 409]);
    await api.postgres.query(
      `UPDATE refresh_tokens SET created_at = created_at - interval '1 hour' WHERE user_id = '${person.userId}'`,
    );
    const renewed = await api.call('POST', '/v1/auth/refresh', { body: { refreshToken: person.refreshToken } });
    const old = await create((renewed.body as { accessToken: string }).accessToken, ['read']);
    expect(old).toMatchObject({ status: 403, body: { code: 'STEP_UP_REQUIRED' } });
  });
});

describe('requests with one API token', () => {
  let api: RunningApi;
  beforeAll(async () => {
    api = await startApi({ worker: false, config: { requestsPerMinute: LIMIT, trustProxy: ['127.0.0.1'] } });
  }, 60_000);
  afterAll(() => api?.stop());

  it('are limited for the token, from whatever addresses they come', async () => {
    const owner = await api.register();
    const { token } = (
      await api.call('POST', '/v1/api-tokens', { token: owner.accessToken, body: { name: 'CI', scopes: ['read'] } })
    ).body as CreatedApiToken;
    const admission = api.app.get(ApiTokenAdmission);
    for (let n = 0; n < LIMIT - 1; n += 1) await admission.find(token);
    const from = (ip: string) =>
      fetch(`${api.url}/v1/workspace`, { headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': ip } });
    expect((await from('203.0.113.1')).status).toBe(200);
    const refused = await from('203.0.113.2');
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([429, 'RATE_LIMITED']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await api.call('GET', '/v1/workspace', { token: owner.accessToken })).status).toBe(200);
  });
});
