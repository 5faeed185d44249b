import { JwtService } from '@nestjs/jwt';
import type { StepUpAnswer, TokenAnswer } from '@rahatback/contracts';
import type { Registered, RunningApi } from '../../testing/start-api.js';
import { startApi, TEST_PASSWORD } from '../../testing/start-api.js';

const authTimeOf = (token: string): number => new JwtService().decode<{ auth_time: number }>(token).auth_time;
const nowSeconds = (): number => Math.floor(Date.now() / 1000);

describe('typing the password again', () => {
  let api: RunningApi;
  beforeAll(async () => {
    api = await startApi({ worker: false });
  }, 60_000);
  afterAll(() => api?.stop());

  const stepUp = (person: Registered, password: string) =>
    api.call('POST', '/v1/auth/step-up', { token: person.accessToken, body: { password } });
  /** As if the log-in had been some hours ago. */
  const aged = async (person: Registered): Promise<TokenAnswer> => {
    await api.postgres.query(`UPDATE refresh_tokens SET created_at = created_at - interval '3 hours' WHERE user_id = $1`, [
      person.userId,
    ]);
    return (await api.call('POST', '/v1/auth/refresh', { body: { refreshToken: person.refreshToken } })).body as TokenAnswer;
  };
  const audited = async (person: Registered): Promise<unknown[]> =>
    (
      await api.postgres.query(
        `SELECT action FROM audit_events WHERE target_id = $1 AND action LIKE 'session.step%' ORDER BY id`,
        [person.userId],
      )
    ).flat();

  it('makes the log-in young again, which renewing it does not', async () => {
    const person = await api.register();
    expect(nowSeconds() - authTimeOf(person.accessToken)).toBeLessThan(10);
    const renewed = await aged(person);
    expect(nowSeconds() - authTimeOf(renewed.accessToken)).toBeGreaterThan(3 * 3600 - 10);
    const { status, body } = await stepUp(person, TEST_PASSWORD);
    expect(status).toBe(200);
    const { accessToken, accessTokenExpiresAt } = body as StepUpAnswer;
    expect(Object.keys(body as object).sort()).toEqual(['accessToken', 'accessTokenExpiresAt']);
    expect(nowSeconds() - authTimeOf(accessToken)).toBeLessThan(10);
    expect(new Date(accessTokenExpiresAt).getTime()).toBeGreaterThan(Date.now());
    expect((await api.call('GET', '/v1/auth/me', { token: accessToken })).status).toBe(200);
    // What a stolen refresh token is exchanged for stays as old as the log-in.
    const again = (await api.call('POST', '/v1/auth/refresh', { body: { refreshToken: renewed.refreshToken } })).body;
    expect(authTimeOf((again as TokenAnswer).accessToken)).toBe(authTimeOf(renewed.accessToken));
    expect(await audited(person)).toEqual(['session.stepped_up']);
  });

  it('refuses a wrong password, and slows guessing out of a session down for that session alone', async () => {
    const person = await api.register();
    const codes = [];
    for (let guess = 0; guess < 6; guess += 1) {
      codes.push(((await stepUp(person, `wrong guess ${guess}`)).body as { code: string }).code);
    }
    expect(codes).toEqual([...Array.from({ length: 5 }, () => 'LOGIN_FAILED'), 'LOGIN_THROTTLED']);
    // The right one does not get past the limit either; but who has taken a session does not keep its owner from logging in.
    expect(await stepUp(person, TEST_PASSWORD)).toMatchObject({ status: 429, body: { code: 'LOGIN_THROTTLED' } });
    const login = await api.call('POST', '/v1/auth/login', { body: { email: person.email, password: TEST_PASSWORD } });
    expect(login).toMatchObject({ status: 200 });
    expect(await audited(person)).toEqual(Array.from({ length: 5 }, () => 'session.step_up_refused'));
  });

  it('is only for people who are logged in', async () => {
    const { status, body } = await api.call('POST', '/v1/auth/step-up', { body: { password: TEST_PASSWORD } });
    expect([status, (body as { code: string }).code]).toEqual([401, 'UNAUTHENTICATED']);
  });
});
