import type { LoginChallenge, RecoveryCodesAnswer, SessionAnswer, StepUpAnswer, TotpEnrolment } from '@rahatback/contracts';
import { isErrorCode } from '@rahatback/contracts';
import type { Registered, RunningApi } from '../../testing/start-api.js';
import { startApi, TEST_PASSWORD } from '../../testing/start-api.js';
import type { Authenticator } from './testing/authenticator.js';
import { codeAt, enrolTotp } from './testing/authenticator.js';

interface Person extends Registered {
  readonly app: Authenticator;
}

describe('a second factor', () => {
  let api: RunningApi;
  let address = 0;
  beforeAll(async () => {
    api = await startApi({ worker: false, config: { trustProxy: ['127.0.0.1'] } });
  }, 60_000);
  afterAll(() => api?.stop());

  /** From a network of its own, unless one is given. */
  const post = async (
    path: string,
    body: object,
    ip = `10.7.${(address += 1)}.1`,
  ): Promise<{ status: number; body: unknown }> => {
    const answer = await fetch(`${api.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': ip },
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
  };
  const codeOf = ({ status, body }: { status: number; body: unknown }): string => {
    const { code } = body as { code?: unknown };
    return `${status}${isErrorCode(code) ? ` ${code}` : ''}`;
  };
  const password = async ({ email }: { email: string }, ip?: string): Promise<string> => {
    const answer = await post('/v1/auth/login', { email, password: TEST_PASSWORD }, ip);
    expect([answer.status, Object.keys(answer.body as object).sort()]).toEqual([200, ['challenge', 'challengeExpiresAt']]);
    return (answer.body as LoginChallenge).challenge;
  };
  const second = (challenge: string, code: string, ip?: string) => post('/v1/auth/login/totp', { challenge, code }, ip);
  const as = (person: { accessToken: string }, method: string, path: string, body?: object) =>
    api.call(method, path, { token: person.accessToken, ...(body ? { body } : {}) });
  /** Codes of steps before now are fresh again, so that no test waits for the next one. */
  const timePasses = ({ userId }: Registered) =>
    api.postgres.query(`UPDATE totp_factors SET last_step = 0 WHERE user_id = '${userId}'`);
  const enrolled = async (): Promise<Person> => {
    const person = await api.register();
    const app = await enrolTotp(api, person.accessToken);
    await timePasses(person);
    return { ...person, app };
  };
  const actions = async ({ workspaceId }: Registered): Promise<unknown[]> =>
    (await api.postgres.query(`SELECT action FROM audit_events WHERE workspace_id = '${workspaceId}' ORDER BY at, id`)).flat();
  const aged = ({ userId }: Registered) =>
    api.postgres.query(`UPDATE refresh_tokens SET created_at = created_at - interval '1 hour' WHERE user_id = '${userId}'`);
  const renewed = async (person: Registered): Promise<{ accessToken: string }> =>
    (await post('/v1/auth/refresh', { refreshToken: person.refreshToken })).body as { accessToken: string };

  describe('is set up', () => {
    it('by a secret that only the server key opens, and a first code', async () => {
      const person = await api.register();
      const begun = (await as(person, 'POST', '/v1/auth/totp/enrol')).body as TotpEnrolment;
      expect(begun.otpauthUrl).toContain(`secret=${begun.secret}`);
      const [[stored]] = (await api.postgres.query(`SELECT secret FROM totp_factors WHERE user_id = '${person.userId}'`)) as [
        [string],
      ];
      expect(stored).toMatch(/^1\|kek-/);
      expect(stored).not.toContain(begun.secret);
      // Nothing has changed yet.
      expect(codeOf(await post('/v1/auth/login', { email: person.email, password: TEST_PASSWORD }))).toBe('200');
      expect(codeOf(await as(person, 'POST', '/v1/auth/totp/confirm', { code: '000000' }))).toMatch(/^401 TOTP_WRONG$/);
      const code = codeAt(begun.secret);
      const confirmed = await as(person, 'POST', '/v1/auth/totp/confirm', { code: `${code.slice(0, 3)} ${code.slice(3)}` });
      expect((confirmed.body as RecoveryCodesAnswer).recoveryCodes).toHaveLength(10);
      expect((await as(person, 'GET', '/v1/auth/totp')).body).toEqual({
        enrolledAt: expect.any(String),
        recoveryCodesLeft: 10,
        required: false,
      });
      expect(await actions(person)).toEqual(expect.arrayContaining(['totp.enrolment_begun', 'totp.enrolled']));
    });

    it('once: beginning again makes another secret, and a confirmed one stays', async () => {
      const person = await api.register();
      const first = (await as(person, 'POST', '/v1/auth/totp/enrol')).body as TotpEnrolment;
      const app = await enrolTotp(api, person.accessToken);
      expect(app.secret).not.toBe(first.secret);
      expect(codeOf(await as(person, 'POST', '/v1/auth/totp/enrol'))).toBe('409 TOTP_ENROLLED');
      expect(codeOf(await as(person, 'POST', '/v1/auth/totp/confirm', { code: codeAt(app.secret) }))).toBe('409 TOTP_ENROLLED');
    });

    it('once, also where two confirm at the same moment', async () => {
      const person = await api.register();
      const { secret } = (await as(person, 'POST', '/v1/auth/totp/enrol')).body as TotpEnrolment;
      const confirm = () => as(person, 'POST', '/v1/auth/totp/confirm', { code: codeAt(secret) });
      const answers = (await Promise.all([confirm(), confirm(), confirm()])).map(codeOf).sort();
      expect(answers).toEqual(['200', '409 TOTP_ENROLLED', '409 TOTP_ENROLLED']);
      const [[codes]] = (await api.postgres.query(
        `SELECT count(*)::int FROM recovery_codes WHERE user_id = '${person.userId}'`,
      )) as [[number]];
      expect(codes).toBe(10);
    });

    it('and taken away after a fresh log-in only', async () => {
      const person = await enrolled();
      await aged(person);
      const old = await renewed(person);
      for (const [method, path] of [
        ['DELETE', '/v1/auth/totp'],
        ['POST', '/v1/auth/totp/recovery-codes'],
        ['POST', '/v1/auth/totp/enrol'],
      ] as const) {
        expect(codeOf(await as(old, method, path))).toBe('403 STEP_UP_REQUIRED');
      }
      expect((await as(person, 'DELETE', '/v1/auth/totp')).status).toBe(204);
      expect(codeOf(await as(person, 'DELETE', '/v1/auth/totp'))).toBe('409 TOTP_NOT_ENROLLED');
      expect(codeOf(await post('/v1/auth/login', { email: person.email, password: TEST_PASSWORD }))).toBe('200');
      expect(await actions(person)).toContain('totp.disabled');
    });
  });

  describe('is asked for at log-in', () => {
    it('after the password; the answer to the password opens nothing', async () => {
      const person = await enrolled();
      const challenge = await password(person);
      expect((await api.call('GET', '/v1/auth/me', { token: challenge })).status).toBe(401);
      const answer = await second(challenge, codeAt(person.app.secret));
      const { user, tokens } = answer.body as SessionAnswer;
      expect([answer.status, user.id]).toEqual([200, person.userId]);
      expect((await api.call('GET', '/v1/auth/me', { token: tokens.accessToken })).status).toBe(200);
    });

    it('takes a code once, in every log-in, and only one of two at the same moment', async () => {
      const person = await enrolled();
      const challenges = [await password(person), await password(person), await password(person)];
      const code = codeAt(person.app.secret);
      const answers = (await Promise.all(challenges.map((challenge) => second(challenge, code)))).map(codeOf).sort();
      expect(answers).toEqual(['200', '401 TOTP_WRONG', '401 TOTP_WRONG']);
      expect(codeOf(await second(await password(person), codeAt(person.app.secret, -1)))).toBe('401 TOTP_WRONG'); // older than the last one
      expect(codeOf(await second(await password(person), codeAt(person.app.secret, 1)))).toBe('200');
    });

    it('takes a challenge once, and only as the server made it', async () => {
      const person = await enrolled();
      const challenge = await password(person);
      const [[body = ''], mac = ''] = [challenge.split('.'), challenge.split('.')[1]];
      const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as { until: number };
      const forged = `${Buffer.from(JSON.stringify({ ...claims, until: claims.until + 1 })).toString('base64url')}.${mac}`;
      for (const wrong of [forged, 'x', '', `${challenge}x`]) {
        expect(codeOf(await second(wrong, codeAt(person.app.secret)))).toBe('401 LOGIN_FAILED');
      }
      expect(codeOf(await second(challenge, codeAt(person.app.secret)))).toBe('200');
      await timePasses(person);
      expect(codeOf(await second(challenge, codeAt(person.app.secret)))).toBe('401 LOGIN_FAILED');
    });

    it('goes on counting wrong codes with wrong passwords, and lets the person in from elsewhere', async () => {
      const person = await enrolled();
      const thief = '198.51.100.3';
      const challenge = await password(person, thief);
      const outcomes: string[] = [];
      for (let n = 0; n < 6; n += 1) outcomes.push(codeOf(await second(challenge, '000000', thief)));
      expect(outcomes).toEqual([
        ...Array.from({ length: 4 }, () => '401 TOTP_WRONG'),
        '429 LOGIN_THROTTLED',
        '429 LOGIN_THROTTLED',
      ]);
      // Somebody who has the password gets twenty codes an hour from anywhere.
      const anywhere: string[] = [];
      for (let n = 0; n < 25; n += 1) anywhere.push(codeOf(await second(challenge, '000000')));
      expect(anywhere.filter((outcome) => outcome === '401 TOTP_WRONG')).toHaveLength(16);
      expect(new Set(anywhere.slice(16))).toEqual(new Set(['429 LOGIN_THROTTLED']));
      expect(codeOf(await second(await password(person, '127.0.0.1'), codeAt(person.app.secret), '127.0.0.1'))).toBe('200');
      expect(await actions(person)).toContain('session.code_refused');
    }, 60_000);
  });

  describe('has recovery codes', () => {
    it('of which each opens once, also where two show it at the same moment', async () => {
      const person = await enrolled();
      const [first = '', next = ''] = person.app.recoveryCodes;
      const challenges = [await password(person), await password(person)];
      const answers = (await Promise.all(challenges.map((challenge) => second(challenge, first)))).map(codeOf).sort();
      expect(answers).toEqual(['200', '401 TOTP_WRONG']);
      expect(codeOf(await second(await password(person), next.toUpperCase().replaceAll('-', ' ')))).toBe('200');
      expect((await as(person, 'GET', '/v1/auth/totp')).body).toMatchObject({ recoveryCodesLeft: 8 });
      const rows = await api.postgres.query(`SELECT selector, code_hash FROM recovery_codes WHERE user_id = '${person.userId}'`);
      expect(rows.map(([, hash]) => String(hash).slice(0, 9))).toEqual(Array.from({ length: 10 }, () => '$argon2id'));
      expect(JSON.stringify(rows)).not.toContain(first.slice(5));
      const [[detail]] = (await api.postgres.query(
        `SELECT detail FROM audit_events WHERE workspace_id = '${person.workspaceId}' AND action = 'session.started' ORDER BY at DESC LIMIT 1`,
      )) as [[unknown]];
      expect(detail).toEqual({ factor: 'recovery_code' });
    });

    it('that open also where the secret of the authenticator does not, such as one that was copied from somebody else', async () => {
      const [person, thief] = [await enrolled(), await enrolled()];
      await api.postgres.query(
        `UPDATE totp_factors SET secret = (SELECT secret FROM totp_factors WHERE user_id = '${thief.userId}') WHERE user_id = '${person.userId}'`,
      );
      expect(codeOf(await second(await password(person), codeAt(thief.app.secret)))).toBe('500 CONFIG_INVALID');
      expect(codeOf(await second(await password(person), person.app.recoveryCodes[0] ?? ''))).toBe('200');
    });

    it('that belong to one person, and are worth nothing when they are renewed', async () => {
      const [person, other] = [await enrolled(), await enrolled()];
      expect(codeOf(await second(await password(person), other.app.recoveryCodes[0] ?? ''))).toBe('401 TOTP_WRONG');
      const { recoveryCodes } = (await as(person, 'POST', '/v1/auth/totp/recovery-codes')).body as RecoveryCodesAnswer;
      expect(codeOf(await second(await password(person), person.app.recoveryCodes[0] ?? ''))).toBe('401 TOTP_WRONG');
      expect(codeOf(await second(await password(person), recoveryCodes[0] ?? ''))).toBe('200');
      expect(await actions(person)).toContain('totp.recovery_codes_renewed');
    });
  });

  it('is what makes a log-in fresh again: the password alone does not', async () => {
    const person = await enrolled();
    await aged(person);
    const old = await renewed(person);
    const stepUp = (body: object) => as(old, 'POST', '/v1/auth/step-up', body);
    expect(codeOf(await stepUp({ password: TEST_PASSWORD }))).toBe('401 TOTP_NEEDED');
    expect(codeOf(await stepUp({ code: '000000' }))).toBe('401 TOTP_WRONG');
    const code = codeAt(person.app.secret);
    const fresh = await stepUp({ code });
    expect(fresh.status).toBe(200);
    expect(codeOf(await stepUp({ code }))).toBe('401 TOTP_WRONG');
    expect((await as(fresh.body as StepUpAnswer, 'DELETE', '/v1/auth/totp')).status).toBe(204);
    expect(codeOf(await stepUp({}))).toBe('400 VALIDATION');
    expect(codeOf(await stepUp({ password: TEST_PASSWORD }))).toBe('200');
  });

  describe('is asked of everybody', () => {
    const demand = (person: { accessToken: string }, requireTotp: boolean) =>
      as(person, 'PATCH', '/v1/workspace', { requireTotp });
    const member = async (owner: Registered): Promise<Registered> => {
      const email = `m-${owner.userId}@example.com`;
      await as(owner, 'POST', '/v1/workspace/members', { email, name: 'Member', password: TEST_PASSWORD, role: 'operator' });
      const { user, tokens } = (await post('/v1/auth/login', { email, password: TEST_PASSWORD })).body as SessionAnswer;
      return { ...owner, email, userId: user.id, accessToken: tokens.accessToken, refreshToken: tokens.refreshToken ?? '' };
    };

    it('by an owner who has one, after a fresh log-in', async () => {
      const owner = await api.register();
      const operator = await member(owner);
      expect(codeOf(await demand(operator, true))).toBe('403 FORBIDDEN');
      expect(codeOf(await demand(owner, true))).toBe('409 TOTP_NOT_ENROLLED');
      await enrolTotp(api, owner.accessToken);
      await aged(owner);
      expect(codeOf(await demand(await renewed(owner), true))).toBe('403 STEP_UP_REQUIRED');
      expect(await demand(owner, true)).toMatchObject({ status: 200, body: { requireTotp: true } });
    });

    it('and who has none can set one up and nothing else, until they have', async () => {
      const owner = await enrolled();
      const operator = await member(owner);
      await demand(owner, true);
      const outcomes: Record<string, string> = {};
      for (const path of [
        '/v1/workspace',
        '/v1/databases',
        '/v1/api-tokens',
        '/v1/audit',
        '/v1/auth/me',
        '/v1/auth/totp',
        '/v1/auth/sessions',
      ])
        outcomes[path] = codeOf(await as(operator, 'GET', path));
      expect(outcomes).toEqual({
        '/v1/workspace': '403 TOTP_REQUIRED',
        '/v1/databases': '403 TOTP_REQUIRED',
        '/v1/api-tokens': '403 TOTP_REQUIRED',
        '/v1/audit': '403 TOTP_REQUIRED',
        '/v1/auth/me': '200',
        '/v1/auth/totp': '200',
        '/v1/auth/sessions': '200',
      });
      await enrolTotp(api, operator.accessToken);
      expect(codeOf(await as(operator, 'GET', '/v1/workspace'))).toBe('200');
      expect(codeOf(await as(operator, 'DELETE', '/v1/auth/totp'))).toBe('403 TOTP_REQUIRED');
      expect(codeOf(await as(owner, 'DELETE', '/v1/auth/totp'))).toBe('403 TOTP_REQUIRED');
      expect(await demand(owner, false)).toMatchObject({ status: 200, body: { requireTotp: false } });
      expect((await as(operator, 'DELETE', '/v1/auth/totp')).status).toBe(204);
      // Another workspace is not asked.
      expect(codeOf(await as(await api.register(), 'GET', '/v1/workspace'))).toBe('200');
    });
  });
});
