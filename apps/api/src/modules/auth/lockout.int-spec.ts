import type { SessionAnswer } from '@rahatback/contracts';
import request from 'supertest';
import { RedisClients } from '../../platform/queues/redis-clients.js';
import type { Registered, RunningApi } from '../../testing/start-api.js';
import { startApi, TEST_PASSWORD } from '../../testing/start-api.js';
import { DEVICE_COOKIE } from './browser-session.js';

const GUESSES = 10_000;
const AT_ONCE = 40;
const HOME = '203.0.113.7';

/** An address of a network of its own. */
const addressOf = (n: number): string => `10.${(n >> 8) & 255}.${n & 255}.9`;

describe('guessing passwords', () => {
  let api: RunningApi;
  beforeAll(async () => {
    api = await startApi({ worker: false, config: { trustProxy: ['127.0.0.1'] } });
  }, 60_000);
  afterAll(() => api?.stop());

  const post = (path: string, ip: string, body: object, headers: Record<string, string> = {}) =>
    fetch(`${api.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': ip, ...headers },
      body: JSON.stringify(body),
    });
  const login = async (email: string, password: string, ip: string, deviceToken?: string) => {
    const answer = await post('/v1/auth/login', ip, { email, password, ...(deviceToken ? { deviceToken } : {}) });
    const body = (await answer.json()) as SessionAnswer & { code?: string; message?: string };
    return { status: answer.status, code: body.code, message: body.message, retryAfter: answer.headers.get('retry-after'), body };
  };
  const guess = (email: string, n: number, ip: string, deviceToken?: string) =>
    login(email, `not the password ${n}`, ip, deviceToken);
  /** What counts attempts of this minute is forgotten; what counts refusals of this day is not. */
  const timePasses = async (): Promise<void> => {
    const redis = api.app.get(RedisClients).general;
    const keys = await redis.keys('rahatback:login-pair:*');
    if (keys.length > 0) await redis.del(keys);
  };
  const atHome = async (): Promise<Registered & { deviceToken: string }> => {
    const person = await api.register();
    const { body } = await login(person.email, TEST_PASSWORD, HOME);
    return { ...person, deviceToken: body.deviceToken ?? '' };
  };

  it(`${GUESSES} of them from as many networks: a hundred are looked at, and the person logs in all the while`, async () => {
    const victim = await atHome();
    const counts = new Map<string, number>();
    const inside: number[] = [];
    let next = 0;
    const attacker = async (): Promise<void> => {
      for (let n = next++; n < GUESSES; n = next++) {
        const { status, code } = await guess(victim.email, n, addressOf(n));
        counts.set(`${status} ${code}`, (counts.get(`${status} ${code}`) ?? 0) + 1);
        if (n % 1000 !== 500) continue;
        const [atHomeToo, elsewhere] = [
          await login(victim.email, TEST_PASSWORD, HOME),
          await login(victim.email, TEST_PASSWORD, `198.51.${100 + n / 1000}.1`, victim.deviceToken),
        ];
        inside.push(atHomeToo.status, elsewhere.status);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, attacker));
    process.stdout.write(
      `lockout: ${GUESSES} guesses, ${JSON.stringify(Object.fromEntries(counts))}, log-ins ${inside.join(' ')}\n`,
    );
    // A server that is too busy may answer 503 to some: what it did not look at is no guess either.
    expect(counts.get('401 LOGIN_FAILED')).toBeLessThanOrEqual(100);
    expect(
      [...counts.keys()].filter((outcome) => !/^(401 LOGIN_FAILED|429 LOGIN_THROTTLED|503 UNAVAILABLE)$/.test(outcome)),
    ).toEqual([]);
    expect(counts.get('429 LOGIN_THROTTLED')).toBeGreaterThan(GUESSES * 0.98);
    expect(inside).toEqual(Array.from({ length: 20 }, () => 200));
    // Without a device that is known, from a network that is not: told to wait, and what would help.
    const stranger = await login(victim.email, TEST_PASSWORD, '192.0.2.1');
    expect([stranger.status, stranger.code]).toEqual([429, 'LOGIN_THROTTLED']);
    expect(stranger.message).toMatch(/from a device or network that you have used before/);
    expect(Number(stranger.retryAfter)).toBeGreaterThan(60);
    expect(Number(stranger.retryAfter)).toBeLessThanOrEqual(3600);
  }, 300_000);

  it('answers for an account that nobody has as for one that somebody has, at every step', async () => {
    const victim = await api.register();
    const stepsOf = async (email: string, range: number): Promise<unknown[]> => {
      const steps: unknown[] = [];
      for (let n = 0; n < 7; n += 1) {
        const { status, code, message } = await guess(email, n, `198.18.${range}.${n + 1}`);
        steps.push([status, code, message?.replace(/\d+ seconds/, 'N seconds')]);
      }
      return steps;
    };
    const known = await stepsOf(victim.email, 1);
    expect(known).toEqual(await stepsOf('nobody-at-all@example.com', 2));
    expect(known.map((step) => (step as unknown[])[0])).toEqual([401, 401, 401, 401, 401, 429, 429]);
  });

  it('counts for a network of addresses, not for each of them', async () => {
    const victim = await api.register();
    const v4: number[] = [];
    const v6: number[] = [];
    for (let n = 0; n < 6; n += 1) v4.push((await guess(victim.email, n, `198.18.10.${n * 40 + 1}`)).status);
    for (let n = 0; n < 6; n += 1) v6.push((await guess(victim.email, n, `2001:db8:5:10${n}::1`)).status);
    expect([v4, v6]).toEqual([
      [401, 401, 401, 401, 401, 429],
      [401, 401, 401, 401, 401, 429],
    ]);
  });

  it('lets who waits long enough try again, and longer each time', async () => {
    const victim = await api.register();
    const ip = '198.18.20.1';
    const waits: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      for (let n = 0; n < 5; n += 1) expect((await guess(victim.email, n, ip)).status).toBe(401);
      waits.push(Number((await guess(victim.email, 5, ip)).retryAfter));
      await timePasses();
    }
    expect(waits).toEqual([60, 120, 240]);
  });

  it('does not bind a known device to what its neighbours do, but to what it does itself', async () => {
    const victim = await atHome();
    for (let n = 0; n < 7; n += 1) await guess(victim.email, n, HOME);
    expect((await login(victim.email, TEST_PASSWORD, HOME)).status).toBe(429);
    expect((await login(victim.email, TEST_PASSWORD, HOME, victim.deviceToken)).status).toBe(200);
    const thief: number[] = [];
    for (let n = 0; n < 6; n += 1) thief.push((await guess(victim.email, n, addressOf(n), victim.deviceToken)).status);
    expect(thief).toEqual([401, 401, 401, 401, 401, 429]);
  });

  it('knows a device for its own account only, and not one that was made up', async () => {
    const [victim, other] = [await atHome(), await atHome()];
    for (let n = 0; n < 6; n += 1) await guess(victim.email, n, HOME);
    const forged = `${victim.deviceToken.split('.')[0]}.${'A'.repeat(43)}`;
    for (const deviceToken of [other.deviceToken, forged, 'x', `${victim.deviceToken}.`]) {
      expect((await login(victim.email, TEST_PASSWORD, HOME, deviceToken)).status).toBe(429);
    }
  });

  it('keeps the device of a browser in a cookie that no script reads, beyond the log-out', async () => {
    const person = await api.register();
    const browser = { 'x-rahatback-client': 'browser' };
    const http = () => request(api.app.getHttpServer());
    const send = (cookie = '', ip = HOME) =>
      http()
        .post('/v1/auth/login')
        .set({ ...browser, cookie, 'x-forwarded-for': ip })
        .send({ email: person.email, password: TEST_PASSWORD });
    const first = await send();
    const cookie = (first.headers['set-cookie'] as unknown as string[]).find((text) => text.startsWith(DEVICE_COOKIE)) ?? '';
    expect(cookie).toMatch(/; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Strict$/);
    expect((first.body as SessionAnswer).deviceToken).toBeUndefined();
    for (let n = 0; n < 6; n += 1) await guess(person.email, n, HOME);
    expect((await send()).status).toBe(429);
    expect((await send(cookie.split(';', 1)[0])).status).toBe(200);
  });

  it('guesses that stay below the limits leave no log-in behind, and the right one clears the count', async () => {
    const person = await api.register();
    for (let round = 0; round < 3; round += 1) {
      for (let n = 0; n < 4; n += 1) expect((await guess(person.email, n, '198.18.30.1')).status).toBe(401);
      expect((await login(person.email, TEST_PASSWORD, '198.18.30.1')).status).toBe(200);
    }
  });
});
