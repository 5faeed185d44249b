import { createHash } from 'node:crypto';
import type { SessionAnswer, TokenAnswer } from '@rahatback/contracts';
import { startRedis } from '@rahatback/testing';
import { JwtService } from '@nestjs/jwt';
import request from 'supertest';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import type { Registered, RunningApi } from '../../testing/start-api.js';
import { startApi, TEST_PASSWORD } from '../../testing/start-api.js';
import { REFRESH_COOKIE } from './browser-session.js';

const RECIPIENT = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';

describe('accounts', () => {
  let api: RunningApi;
  beforeAll(async () => {
    api = await startApi({ worker: false, config: { trustProxy: ['127.0.0.1'] } });
  }, 60_000);
  afterAll(() => api?.stop());

  const http = () => request(api.app.getHttpServer());
  const login = (email: string, password: string, ip = '203.0.113.7') =>
    http().post('/v1/auth/login').set('x-forwarded-for', ip).send({ email, password });
  const audited = async (workspaceId: string, action: string): Promise<number> =>
    Number(
      (
        await api.postgres.query('SELECT count(*) FROM audit_events WHERE workspace_id = $1 AND action = $2', [
          workspaceId,
          action,
        ])
      )[0]?.[0],
    );

  describe('register', () => {
    it('makes a person who owns a workspace, with a trace', async () => {
      const person = await api.register();
      const me = await api.call('GET', '/v1/auth/me', { token: person.accessToken });
      expect(me).toMatchObject({
        status: 200,
        body: { id: person.userId, email: person.email, workspaceId: person.workspaceId, role: 'owner' },
      });
      expect(await audited(person.workspaceId, 'workspace.created')).toBe(1);
    });

    it('keeps the password as argon2id with 64 MiB and three passes', async () => {
      const person = await api.register();
      const [[hash] = []] = await api.postgres.query('SELECT password_hash FROM users WHERE id = $1', [person.userId]);
      expect(hash).toMatch(/^\$argon2id\$v=19\$m=65536,p=1,t=3\$/);
    });

    it.each(['Password1234', '1234567890', 'qwertyuiop', 'P@ssw0rd2026!', 'Galatasaray1905', 'aaaaaaaaaaaa', 'deniz.k.2026!'])(
      'refuses the weak password %s',
      async (password) => {
        const answer = await http().post('/v1/auth/register').send({ email: 'deniz.k@example.com', name: 'Deniz', password });
        expect([answer.status, answer.body.code]).toEqual([400, 'PASSWORD_WEAK']);
        expect(JSON.stringify(answer.body)).not.toContain(password);
      },
    );

    it('refuses an e-mail address that is taken, whatever its letters', async () => {
      const person = await api.register();
      const answer = await http()
        .post('/v1/auth/register')
        .send({ email: person.email.toUpperCase(), name: 'Other', password: TEST_PASSWORD });
      expect([answer.status, answer.body.code]).toEqual([409, 'EMAIL_TAKEN']);
    });

    it('takes a recovery recipient and refuses what is none', async () => {
      const body = { name: 'Deniz', password: TEST_PASSWORD };
      const good = await http()
        .post('/v1/auth/register')
        .send({ ...body, email: 'key@example.com', recoveryRecipient: RECIPIENT });
      expect(good.status).toBe(201);
      const workspace = await api.call('GET', '/v1/workspace', { token: (good.body as SessionAnswer).tokens.accessToken });
      expect(workspace.body).toMatchObject({ recoveryRecipient: RECIPIENT });
      const bad = await http()
        .post('/v1/auth/register')
        .send({ ...body, email: 'nokey@example.com', recoveryRecipient: `${RECIPIENT}x` });
      expect([bad.status, bad.body.code]).toEqual([400, 'RECOVERY_KEY_INVALID']);
    });
  });

  describe('log-in', () => {
    let person: Registered;
    beforeAll(async () => {
      person = await api.register();
    });

    it('answers the same for a wrong password and an unknown person', async () => {
      const wrong = await login(person.email, 'wrong password 12', '203.0.113.20');
      const unknown = await login('nobody@example.com', 'wrong password 12', '203.0.113.20');
      expect([wrong.status, unknown.status]).toEqual([401, 401]);
      expect({ ...wrong.body, correlationId: '' }).toEqual({ ...unknown.body, correlationId: '' });
      expect(wrong.body.code).toBe('LOGIN_FAILED');
      expect(await audited(person.workspaceId, 'session.refused')).toBe(1);
    });

    it('does not cut long passwords: one that differs at character 73 is wrong', async () => {
      const long = `${'uzun bir cümle daha iyidir '.repeat(4)}A`;
      await http().post('/v1/auth/register').send({ email: 'long@example.com', name: 'Long', password: long });
      expect((await login('long@example.com', `${long.slice(0, -1)}B`)).status).toBe(401);
      expect((await login('long@example.com', long)).status).toBe(200);
    });

    it('slows an attacker down and lets the person in from elsewhere', async () => {
      const statuses = await Promise.all(
        Array.from({ length: 12 }, async () => (await login(person.email, 'guess guess 1', '198.51.100.66')).status),
      );
      expect(statuses.filter((status) => status === 401)).toHaveLength(5);
      expect(statuses.filter((status) => status === 429)).toHaveLength(7);
      const refused = await login(person.email, TEST_PASSWORD, '198.51.100.66');
      expect(refused.body.code).toBe('LOGIN_THROTTLED');
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      expect((await login(person.email, TEST_PASSWORD, '203.0.113.7')).status).toBe(200);
    });

    it('answers 503 at once while Redis is away, so that nobody guesses unlimited, and reads go on', async () => {
      const redis = await startRedis({ persist: false });
      const other = await startApi({ worker: false, database: api.postgres, redis });
      try {
        const reader = await other.register();
        await redis.kill();
        const before = performance.now();
        const refused = await request(other.app.getHttpServer())
          .post('/v1/auth/login')
          .send({ email: reader.email, password: TEST_PASSWORD });
        expect([refused.status, refused.body.code]).toEqual([503, 'UNAVAILABLE']);
        expect(performance.now() - before).toBeLessThan(5000);
        expect((await other.call('GET', '/v1/auth/me', { token: reader.accessToken })).status).toBe(200);
        expect((await other.call('GET', '/health/ready')).body).toMatchObject({ checks: { postgres: 'up', redis: 'down' } });
      } finally {
        await other.stop();
        await redis.stop();
      }
    }, 60_000);
  });

  describe('access tokens', () => {
    const forged = (
      overrides: { algorithm?: 'ES256' | 'HS256' | 'none'; audience?: string; typ?: string; kid?: string; expiresIn?: number },
      person: Registered,
    ): Promise<string> => {
      const keys = api.app.get(ServerKeys);
      const algorithm = overrides.algorithm ?? 'ES256';
      const publicPem = keys.jwt.publicKeys.get(keys.jwt.kid)?.export({ format: 'pem', type: 'spki' }).toString() ?? '';
      const claims = JSON.parse(Buffer.from(person.accessToken.split('.')[1] ?? '', 'base64url').toString()) as {
        ws: string;
        sid: string;
      };
      const key = algorithm === 'ES256' ? { privateKey: keys.jwt.privateKey } : { secret: algorithm === 'none' ? '' : publicPem };
      return new JwtService().signAsync({ ws: claims.ws, sid: claims.sid }, {
        ...key,
        algorithm,
        keyid: overrides.kid ?? keys.jwt.kid,
        header: { alg: algorithm, typ: overrides.typ ?? 'at+jwt' },
        issuer: `rahatback:${keys.serverId}`,
        audience: overrides.audience ?? 'rahatback-api',
        subject: person.userId,
        expiresIn: overrides.expiresIn ?? 60,
        allowInvalidAsymmetricKeyTypes: true,
      } as object);
    };
    const statusOf = async (token: string): Promise<number> => (await api.call('GET', '/v1/auth/me', { token })).status;

    it('are ES256 with key id, type, issuer and audience, and live 15 minutes', async () => {
      const { accessToken } = await api.register();
      const [header, claims] = accessToken
        .split('.')
        .slice(0, 2)
        .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>);
      expect(header).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.stringMatching(/^jwt-/) });
      expect(claims).toMatchObject({ aud: 'rahatback-api', iss: expect.stringMatching(/^rahatback:/) });
      expect(Number(claims?.['exp']) - Number(claims?.['iat'])).toBeLessThanOrEqual(900);
    });

    it('pass only with our algorithm, type, key, audience and time', async () => {
      const person = await api.register();
      expect(await statusOf(await forged({}, person))).toBe(200); // the forger is right but for what each line changes
      expect(await statusOf(await forged({ audience: 'other' }, person))).toBe(401);
      expect(await statusOf(await forged({ typ: 'JWT' }, person))).toBe(401);
      expect(await statusOf(await forged({ kid: 'jwt-unknown' }, person))).toBe(401);
      expect(await statusOf(await forged({ expiresIn: -1 }, person))).toBe(401);
      expect(await statusOf(`${person.accessToken.slice(0, -4)}AAAA`)).toBe(401);
      const [header, claims] = person.accessToken.split('.');
      const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt', kid: api.app.get(ServerKeys).jwt.kid })).toString(
        'base64url',
      );
      expect(await statusOf(`${none}.${claims}.`)).toBe(401);
      expect(await statusOf(`${header}.${claims}.`)).toBe(401);
    });

    it('end with the log-in and with the membership, at once', async () => {
      const person = await api.register();
      await http().post('/v1/auth/logout').send({ refreshToken: person.refreshToken }).expect(204);
      expect(await statusOf(person.accessToken)).toBe(401);
      const member = await api.register();
      await api.postgres.query('DELETE FROM memberships WHERE user_id = $1', [member.userId]);
      expect(await statusOf(member.accessToken)).toBe(401);
    });
  });

  describe('browsers', () => {
    const asBrowser = { 'x-rahatback-client': 'browser' };
    const cookieOf = (answer: { headers: Record<string, unknown> }): string =>
      String((answer.headers['set-cookie'] as string[] | undefined)?.[0] ?? '');

    it('get the refresh token as a cookie that no script and no other site can use', async () => {
      const person = await api.register();
      const answer = await login(person.email, TEST_PASSWORD).set(asBrowser);
      expect((answer.body as SessionAnswer).tokens.refreshToken).toBeUndefined();
      expect(cookieOf(answer)).toMatch(
        new RegExp(`^${REFRESH_COOKIE}=[^;]+; Path=/; Expires=[^;]+; HttpOnly; Secure; SameSite=Strict$`),
      );
    });

    it('refresh and log out by the cookie, with the header and from our own pages only', async () => {
      const person = await api.register();
      const jar = cookieOf(await login(person.email, TEST_PASSWORD).set(asBrowser)).split(';', 1)[0] ?? '';
      const refresh = () => http().post('/v1/auth/refresh').set('cookie', jar);
      expect((await refresh()).body.code).toBe('SESSION_EXPIRED'); // no header: the cookie counts for nothing
      const foreign = await refresh().set(asBrowser).set('origin', 'https://evil.example');
      expect([foreign.status, foreign.body.code]).toEqual([403, 'ORIGIN_FORBIDDEN']);
      const answer = await refresh().set(asBrowser).set('origin', api.url);
      expect(answer.status).toBe(200);
      const next = cookieOf(answer).split(';', 1)[0] ?? '';
      const out = await http().post('/v1/auth/logout').set('cookie', next).set(asBrowser);
      expect([out.status, cookieOf(out)]).toEqual([204, expect.stringContaining(`${REFRESH_COOKIE}=;`)]);
      expect((await http().post('/v1/auth/refresh').set('cookie', next).set(asBrowser)).status).toBe(401);
    });
  });

  describe('refresh tokens', () => {
    const refresh = (refreshToken: string) => http().post('/v1/auth/refresh').send({ refreshToken });
    const tokensOf = async (person: Registered): Promise<unknown[][]> =>
      api.postgres.query(
        'SELECT id, used_at IS NULL AND revoked_at IS NULL AS live, secret_sha256 FROM refresh_tokens WHERE user_id = $1',
        [person.userId],
      );

    it('rotate, and are stored as hashes only', async () => {
      const person = await api.register();
      const answer = (await refresh(person.refreshToken)).body as TokenAnswer;
      expect(answer.refreshToken).not.toBe(person.refreshToken);
      const secret = answer.refreshToken?.split('.')[1] ?? '';
      const rows = await tokensOf(person);
      expect(rows.map((row) => row[2])).toContain(createHash('sha256').update(secret).digest('hex'));
      expect(JSON.stringify(rows)).not.toContain(secret);
    });

    it('fifty at once get one and the same successor: one family, no fork', async () => {
      const person = await api.register();
      const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(person.refreshToken)));
      expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
      expect(new Set(answers.map((answer) => (answer.body as TokenAnswer).refreshToken)).size).toBe(1);
      const rows = await tokensOf(person);
      expect(rows).toHaveLength(2);
      expect(rows.filter((row) => row[1] === true)).toHaveLength(1);
    }, 60_000);

    it('an old one after the grace closes the whole family, also for whoever holds the newest', async () => {
      const person = await api.register();
      const next = ((await refresh(person.refreshToken)).body as TokenAnswer).refreshToken ?? '';
      await api.postgres.query(
        `UPDATE refresh_tokens SET used_at = used_at - interval '11 seconds' WHERE user_id = $1 AND used_at IS NOT NULL`,
        [person.userId],
      );
      const reuse = await refresh(person.refreshToken);
      expect([reuse.status, reuse.body.code]).toEqual([401, 'SESSION_REUSED']);
      expect((await refresh(next)).status).toBe(401);
      expect((await api.call('GET', '/v1/auth/me', { token: person.accessToken })).status).toBe(401);
      expect(await audited(person.workspaceId, 'session.reused')).toBe(1);
    });

    it('reuse racing with the newest token leaves nothing alive', async () => {
      for (let round = 0; round < 5; round += 1) {
        const person = await api.register();
        const next = ((await refresh(person.refreshToken)).body as TokenAnswer).refreshToken ?? '';
        await api.postgres.query(
          `UPDATE refresh_tokens SET used_at = used_at - interval '11 seconds' WHERE user_id = $1 AND used_at IS NOT NULL`,
          [person.userId],
        );
        await Promise.all([refresh(person.refreshToken), refresh(next), refresh(next)]);
        expect((await tokensOf(person)).filter((row) => row[1] === true)).toHaveLength(0);
      }
    });

    it('a wrong secret burns nothing', async () => {
      const person = await api.register();
      const [id] = person.refreshToken.split('.');
      const wrong = await refresh(`${id}.${'A'.repeat(43)}`);
      expect([wrong.status, wrong.body.code]).toEqual([401, 'SESSION_EXPIRED']);
      expect((await refresh(person.refreshToken)).status).toBe(200);
    });

    it('end with the family, however often they were rotated', async () => {
      const person = await api.register();
      const next = ((await refresh(person.refreshToken)).body as TokenAnswer).refreshToken ?? '';
      await api.postgres.query(`UPDATE refresh_tokens SET family_expires_at = now() - interval '1 second' WHERE user_id = $1`, [
        person.userId,
      ]);
      expect((await refresh(next)).body.code).toBe('SESSION_EXPIRED');
    });
  });

  describe('workspace and members', () => {
    const addMember = async (owner: Registered, role: string): Promise<{ token: string; email: string }> => {
      const email = `${role}-${owner.userId.slice(-6)}@example.com`;
      const added = await api.call('POST', '/v1/workspace/members', {
        token: owner.accessToken,
        body: { email, name: role, password: TEST_PASSWORD, role },
      });
      expect(added).toMatchObject({ status: 201, body: { role, workspaceId: owner.workspaceId } });
      const answer = await login(email, TEST_PASSWORD);
      return { token: (answer.body as SessionAnswer).tokens.accessToken, email };
    };

    it('only owners add people and change the workspace; viewers only read', async () => {
      const owner = await api.register();
      const viewer = await addMember(owner, 'viewer');
      const operator = await addMember(owner, 'operator');
      for (const { token } of [viewer, operator]) {
        expect(await api.call('PATCH', '/v1/workspace', { token, body: { name: 'Mine' } })).toMatchObject({
          status: 403,
          body: { code: 'FORBIDDEN' },
        });
        expect((await api.call('GET', '/v1/workspace/members', { token })).body).toHaveLength(3);
      }
      const renamed = await api.call('PATCH', '/v1/workspace', { token: owner.accessToken, body: { name: 'Yeni ad' } });
      expect(renamed).toMatchObject({ status: 200, body: { name: 'Yeni ad' } });
      expect(await audited(owner.workspaceId, 'member.added')).toBe(2);
      const trail = await api.call('GET', '/v1/audit?limit=2', { token: viewer.token });
      expect(trail).toMatchObject({ status: 200, body: { page: 1, limit: 2, totalResults: expect.any(Number) } });
    });

    it('a change of role holds for the next request', async () => {
      const owner = await api.register();
      const member = await addMember(owner, 'viewer');
      await api.postgres.query(`UPDATE memberships SET role = 'owner' WHERE workspace_id = $1 AND user_id <> $2`, [
        owner.workspaceId,
        owner.userId,
      ]);
      expect((await api.call('PATCH', '/v1/workspace', { token: member.token, body: { name: 'Now' } })).status).toBe(200);
    });

    it('shows nobody of another workspace', async () => {
      const [one, other] = [await api.register(), await api.register()];
      const people = (await api.call('GET', '/v1/workspace/members', { token: one.accessToken })).body;
      expect(JSON.stringify(people)).not.toContain(other.userId);
      const trail = (await api.call('GET', '/v1/audit', { token: one.accessToken })).body;
      expect(JSON.stringify(trail)).not.toContain(other.userId);
    });
  });
});
