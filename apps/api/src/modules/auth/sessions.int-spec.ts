import type { AccountNotice, PasswordAnswer, SessionAnswer, SessionView, TokenAnswer } from '@rahatback/contracts';
import { testSecret, waitFor } from '@rahatback/testing';
import { listen } from '../../authorisation/testing/sockets.js';
import type { Registered, RunningApi } from '../../testing/start-api.js';
import { startApi, TEST_PASSWORD } from '../../testing/start-api.js';
import { enrolTotp } from './testing/authenticator.js';

describe('sessions of a person', () => {
  let api: RunningApi;
  beforeAll(async () => {
    api = await startApi({ worker: false, config: { trustProxy: ['127.0.0.1'] } });
  }, 60_000);
  afterAll(() => api?.stop());

  const send = async (path: string, body: object, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${api.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
  };
  const login = async (
    { email }: { email: string },
    ip: string,
    agent: string,
    password = TEST_PASSWORD,
  ): Promise<TokenAnswer> => {
    const { status, body } = await send('/v1/auth/login', { email, password }, { 'x-forwarded-for': ip, 'user-agent': agent });
    if (status !== 200) throw new Error(`login answered ${status}`);
    return (body as SessionAnswer).tokens;
  };
  const list = async (token: string): Promise<SessionView[]> =>
    (await api.call('GET', '/v1/auth/sessions', { token })).body as SessionView[];
  const me = async (token: string): Promise<number> => (await api.call('GET', '/v1/auth/me', { token })).status;
  const refresh = async (refreshToken: string): Promise<number> => (await send('/v1/auth/refresh', { refreshToken })).status;
  const audited = async ({ workspaceId }: Registered, action: string): Promise<unknown[]> =>
    (
      await api.postgres.query(
        `SELECT detail FROM audit_events WHERE workspace_id = '${workspaceId}' AND action = '${action}' ORDER BY at`,
      )
    ).flat();

  it('are listed with device, address and last use; the one that asks is marked', async () => {
    const person = await api.register();
    const phone = await login(person, '203.0.113.9', 'Phone');
    await send(
      '/v1/auth/refresh',
      { refreshToken: phone.refreshToken },
      { 'x-forwarded-for': '198.51.100.4', 'user-agent': 'Phone 2' },
    );
    const sessions = await list(person.accessToken);
    expect(sessions).toHaveLength(2);
    expect(sessions[0]).toMatchObject({ ip: '198.51.100.4', userAgent: 'Phone 2', current: false });
    expect(sessions[1]).toMatchObject({ current: true });
    for (const { startedAt, lastUsedAt, expiresAt } of sessions) {
      expect(Date.parse(startedAt)).toBeLessThanOrEqual(Date.parse(lastUsedAt));
      expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now() + 29 * 86_400_000);
    }
    expect((await list(phone.accessToken)).map(({ current }) => current)).toEqual([true, false]);
  });

  it('are ended one by one, at once: tokens, refresh and sockets', async () => {
    const person = await api.register();
    const phone = await login(person, '203.0.113.9', 'Phone');
    const socket = await listen(api.url, phone.accessToken);
    if (typeof socket === 'string') throw new Error(socket);
    let isCut = false;
    socket.once('disconnect', () => (isCut = true));
    const id = (await list(person.accessToken)).find(({ current }) => !current)?.id ?? '';
    const end = () => api.call('DELETE', `/v1/auth/sessions/${id}`, { token: person.accessToken });
    expect((await end()).status).toBe(204);
    await waitFor(() => isCut, { describe: 'the socket is cut' });
    expect([await me(phone.accessToken), await refresh(phone.refreshToken ?? '')]).toEqual([401, 401]);
    expect([await me(person.accessToken), (await end()).status]).toEqual([200, 404]);
    expect(await list(person.accessToken)).toHaveLength(1);
    expect(await audited(person, 'session.revoked')).toEqual([{ sessionIds: [id] }]);
  });

  it('are nobody else’s to see or to end, not in the same workspace either', async () => {
    const person = await api.register();
    const email = `m-${person.userId}@example.com`;
    await api.call('POST', '/v1/workspace/members', {
      token: person.accessToken,
      body: { email, name: 'M', password: TEST_PASSWORD, role: 'admin' },
    });
    const member = await login({ email }, '203.0.113.9', 'Box');
    const stranger = await api.register();
    const [own] = await list(person.accessToken);
    for (const token of [member.accessToken, stranger.accessToken]) {
      expect((await list(token)).map(({ id }) => id)).not.toContain(own?.id);
      expect((await api.call('DELETE', `/v1/auth/sessions/${own?.id}`, { token })).status).toBe(404);
    }
    expect(await me(person.accessToken)).toBe(200);
  });

  it('are ended all but one, also where two of them try it at the same moment: one of the two is left, or none that lost', async () => {
    for (let round = 0; round < 4; round += 1) {
      const person = await api.register();
      const [phone, box] = [await login(person, '203.0.113.9', 'Phone'), await login(person, '203.0.113.9', 'Box')];
      const others = (token: string) => api.call('POST', '/v1/auth/sessions/end-others', { token });
      const answers = await Promise.all([others(phone.accessToken), others(box.accessToken)]);
      for (const { status } of answers) expect([200, 401]).toContain(status);
      expect(await me(person.accessToken)).toBe(401);
      expect(
        [await me(phone.accessToken), await me(box.accessToken)].filter((status) => status === 200).length,
      ).toBeLessThanOrEqual(1);
    }
    const person = await api.register();
    await login(person, '203.0.113.9', 'Phone');
    const answers = [];
    for (let n = 0; n < 2; n += 1)
      answers.push((await api.call('POST', '/v1/auth/sessions/end-others', { token: person.accessToken })).body);
    expect(answers).toEqual([{ ended: 1 }, { ended: 0 }]);
  });

  it('whose old refresh token is shown again while it is renewed have one end: all of the family closed, no fork left', async () => {
    for (let round = 0; round < 4; round += 1) {
      const person = await api.register();
      const next =
        ((await send('/v1/auth/refresh', { refreshToken: person.refreshToken })).body as TokenAnswer).refreshToken ?? '';
      await api.postgres.query(
        `UPDATE refresh_tokens SET used_at = used_at - interval '11 seconds' WHERE user_id = '${person.userId}' AND used_at IS NOT NULL`,
      );
      const id = (await list(person.accessToken))[0]?.id;
      await Promise.all([
        refresh(person.refreshToken),
        refresh(next),
        api.call('DELETE', `/v1/auth/sessions/${id}`, { token: person.accessToken }),
        refresh(next),
      ]);
      const [[alive]] = (await api.postgres.query(
        `SELECT count(*)::int FROM refresh_tokens WHERE user_id = '${person.userId}' AND used_at IS NULL AND revoked_at IS NULL`,
      )) as [[number]];
      expect(alive).toBe(0);
    }
  });

  it('show on the pages of the person that an old refresh token was shown, that the password was changed or the authenticator taken away', async () => {
    const person = await api.register();
    const phone = await login(person, '203.0.113.9', 'Phone');
    const token = await api.call('POST', '/v1/api-tokens', { token: person.accessToken, body: { name: 'CI', scopes: ['read'] } });
    const stranger = await api.register();
    const heard: string[] = [];
    const pages = [];
    for (const [who, shown] of [
      ['page', person.accessToken],
      ['program', (token.body as { token: string }).token],
      ['stranger', stranger.accessToken],
    ] as const) {
      const page = await listen(api.url, shown);
      if (typeof page === 'string') throw new Error(page);
      page.on('account:notice', ({ kind }: AccountNotice) => heard.push(`${who} ${kind}`));
      pages.push(page);
    }
    const newPassword = testSecret('', { fresh: true });
    await send('/v1/auth/refresh', { refreshToken: phone.refreshToken });
    await api.postgres.query(`UPDATE refresh_tokens SET used_at = used_at - interval '11 seconds' WHERE used_at IS NOT NULL`);
    expect(await refresh(phone.refreshToken ?? '')).toBe(401);
    await waitFor(() => heard.length === 1, { describe: 'the first notice' });
    await enrolTotp(api, person.accessToken);
    await api.call('DELETE', '/v1/auth/totp', { token: person.accessToken });
    const body = { currentPassword: TEST_PASSWORD, newPassword };
    await api.call('POST', '/v1/auth/password', { token: person.accessToken, body });
    await waitFor(() => heard.length === 3, { describe: 'all notices' });
    expect(heard).toEqual(['page session_reused', 'page totp_disabled', 'page password_changed']);
    for (const page of pages) page.disconnect();
  });

  describe('and a new password', () => {
    const change = (token: string, currentPassword: string, newPassword: string) =>
      api.call('POST', '/v1/auth/password', { token, body: { currentPassword, newPassword } });
    const fresh = (): string => testSecret('', { fresh: true });

    it('ends all others, and what knew the old one', async () => {
      const person = await api.register();
      const phone = await login(person, '203.0.113.9', 'Phone');
      const newPassword = fresh();
      const { status, body } = await change(person.accessToken, TEST_PASSWORD, newPassword);
      expect([status, body]).toEqual([200, { sessionsEnded: 1, deviceToken: expect.any(String) }]);
      expect([await me(person.accessToken), await me(phone.accessToken), await refresh(phone.refreshToken ?? '')]).toEqual([
        200, 401, 401,
      ]);
      const tries = [TEST_PASSWORD, newPassword].map((password) => send('/v1/auth/login', { email: person.email, password }));
      expect((await Promise.all(tries)).map((answer) => answer.status)).toEqual([401, 200]);
      expect(await audited(person, 'password.changed')).toEqual([{ sessionsEnded: 1 }]);
      // A device that was known for the old password is a stranger among the neighbours; the one of the new password is not.
      const { deviceToken } = body as PasswordAnswer;
      const home = { 'x-forwarded-for': '192.0.2.77' };
      for (let n = 0; n < 6; n += 1) await send('/v1/auth/login', { email: person.email, password: `wrong ${n}` }, home);
      const knock = (device: string | undefined) =>
        send('/v1/auth/login', { email: person.email, password: newPassword, ...(device ? { deviceToken: device } : {}) }, home);
      expect([(await knock(undefined)).status, (await knock(deviceToken)).status]).toEqual([429, 200]);
    });

    it('needs the old one, a fresh log-in and strength', async () => {
      const person = await api.register();
      const codes: unknown[] = [];
      for (const [old, next] of [
        ['not the old password', fresh()],
        [TEST_PASSWORD, 'Password1234'],
        [TEST_PASSWORD, TEST_PASSWORD],
      ] as const)
        codes.push(((await change(person.accessToken, old, next)).body as { code: string }).code);
      expect(codes).toEqual(['LOGIN_FAILED', 'PASSWORD_WEAK', 'PASSWORD_WEAK']);
      await api.postgres.query(
        `UPDATE refresh_tokens SET created_at = created_at - interval '1 hour' WHERE user_id = '${person.userId}'`,
      );
      const renewed = (await send('/v1/auth/refresh', { refreshToken: person.refreshToken })).body as TokenAnswer;
      expect(await change(renewed.accessToken, TEST_PASSWORD, fresh())).toMatchObject({
        status: 403,
        body: { code: 'STEP_UP_REQUIRED' },
      });
      expect(await audited(person, 'password.changed')).toEqual([]);
    });

    it('is one of two that come at the same moment', async () => {
      const person = await api.register();
      const phone = await login(person, '203.0.113.9', 'Phone');
      const [one, two] = [fresh(), fresh()];
      const answers = await Promise.all([
        change(person.accessToken, TEST_PASSWORD, one),
        change(phone.accessToken, TEST_PASSWORD, two),
      ]);
      expect(answers.map(({ status }) => status).filter((status) => status === 200)).toHaveLength(1);
      const winner = answers[0].status === 200 ? one : two;
      expect((await send('/v1/auth/login', { email: person.email, password: winner })).status).toBe(200);
      expect(await list((await login(person, '203.0.113.9', 'Box', winner)).accessToken)).toHaveLength(3);
    });

    it('leaves no session behind that a log-in with the old one began at the same moment', async () => {
      for (let round = 0; round < 5; round += 1) {
        const person = await api.register();
        const newPassword = fresh();
        const [changed, ...logins] = await Promise.all([
          change(person.accessToken, TEST_PASSWORD, newPassword),
          ...Array.from({ length: 3 }, () => send('/v1/auth/login', { email: person.email, password: TEST_PASSWORD })),
        ]);
        expect(changed.status).toBe(200);
        for (const { status } of logins) expect([200, 401]).toContain(status);
        expect(await list(person.accessToken)).toHaveLength(1);
      }
    }, 60_000);
  });
});
