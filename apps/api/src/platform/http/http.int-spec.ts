import { RequestMethod } from '@nestjs/common';
import { DiscoveryService, Reflector } from '@nestjs/core';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { ERROR_RULES } from '@rahatback/contracts';
import { startRedis, waitFor } from '@rahatback/testing';
import request from 'supertest';
import { ROUTES } from '../../authorisation/testing/route-table.js';
import type { Registered, RunningApi } from '../../testing/start-api.js';
import { startApi, TEST_PASSWORD } from '../../testing/start-api.js';
import { IS_PUBLIC } from './decorators.js';

interface Route {
  readonly method: string;
  readonly path: string;
  readonly isPublic: boolean;
}

/** Every route of every controller, read from the running application: a new one cannot be forgotten. */
function routesOf(api: RunningApi): Route[] {
  const reflector = api.app.get(Reflector);
  const { controllers } = { controllers: api.app.get(DiscoveryService, { strict: false }).getControllers() };
  return controllers.flatMap(({ metatype }) => {
    if (!metatype) return [];
    const base = String(Reflect.getMetadata(PATH_METADATA, metatype) ?? '');
    const prototype = metatype.prototype as Record<string, (...args: never[]) => unknown>;
    return Object.getOwnPropertyNames(prototype).flatMap((name) => {
      const handler = prototype[name];
      const method = handler ? (Reflect.getMetadata(METHOD_METADATA, handler) as number | undefined) : undefined;
      if (!handler || method === undefined) return [];
      const path = [base, String(Reflect.getMetadata(PATH_METADATA, handler))]
        .map((part) => part.replace(/^\/|\/$/g, ''))
        .filter((part) => part !== '');
      const isPublic = reflector.getAllAndOverride<boolean | undefined>(IS_PUBLIC, [handler, metatype as never]) === true;
      return [{ method: RequestMethod[method] ?? 'GET', path: `/${path.join('/')}`, isPublic }];
    });
  });
}

describe('HTTP', () => {
  let api: RunningApi;
  let person: Registered;
  const lines: string[] = [];
  beforeAll(async () => {
    api = await startApi({
      worker: false,
      config: { logLevel: 'debug' },
      logDestination: { write: (line) => void lines.push(line) },
    });
    person = await api.register();
  }, 60_000);
  afterAll(() => api?.stop());

  const http = () => request(api.app.getHttpServer());
  const me = (method: 'get' | 'post' | 'patch', path: string) =>
    http()[method](path).set('authorization', `Bearer ${person.accessToken}`);

  describe('every route', () => {
    it('that is not marked public refuses a stranger, a bad token and a viewer who writes', async () => {
      const routes = routesOf(api).filter((route) => !route.isPublic);
      expect(routes.length).toBeGreaterThan(20);
      const email = 'viewer@example.com';
      await me('post', '/v1/workspace/members').send({ email, name: 'V', role: 'viewer', password: TEST_PASSWORD }).expect(201);
      const viewer = (await http().post('/v1/auth/login').send({ email, password: TEST_PASSWORD })).body.tokens
        .accessToken as string;
      for (const { method, path } of routes) {
        const url = path.replace(/:\w+/g, '019a3c1e-8c8b-7c6e-9d3e-0123456789ab');
        const send = (token?: string) => api.call(method, url, token === undefined ? {} : { token });
        expect([method, path, (await send()).status]).toEqual([method, path, 401]);
        expect([method, path, (await send('not.a.token')).status]).toEqual([method, path, 401]);
        const isOwn = ROUTES[`${method} ${path}`]?.who === 'viewer'; // one's own account
        if (method !== 'GET' && !isOwn) expect([method, path, (await send(viewer)).status]).toEqual([method, path, 403]);
      }
    });

    it('with an id in its path answers 400 to a malformed one and 404, never 403, to one that is not there', async () => {
      const routes = routesOf(api).filter(
        (route) => !route.isPublic && route.path.includes(':id') && ['GET', 'DELETE'].includes(route.method),
      );
      expect(routes.length).toBeGreaterThan(5);
      for (const { method, path } of routes) {
        const send = (id: string) => api.call(method, path.replace(':id', id), { token: person.accessToken });
        expect([path, await send('not-a-uuid')]).toMatchObject([path, { status: 400, body: { code: 'VALIDATION' } }]);
        expect([path, await send('019a3c1e-8c8b-7c6e-9d3e-0123456789ab')]).toMatchObject([
          path,
          { status: 404, body: { code: 'NOT_FOUND' } },
        ]);
      }
    });

    it('carries the security headers and a correlation id', async () => {
      for (const path of ['/v1/auth/me', '/v1/nothing', '/health/live', '/metrics']) {
        const { headers } = await http().get(path).set('x-correlation-id', 'my-request-0001');
        expect(headers).toMatchObject({
          'strict-transport-security': 'max-age=31536000; includeSubDomains',
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
          'x-frame-options': 'DENY',
          'cache-control': 'no-store',
          'x-correlation-id': 'my-request-0001',
        });
        expect(headers['content-security-policy']).toContain("default-src 'none'");
        expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
        expect(headers).not.toHaveProperty('x-powered-by');
      }
    });
  });

  describe('bad input', () => {
    const register = (body: string | object, type = 'application/json') =>
      http().post('/v1/auth/register').set('content-type', type).send(body);
    const good = { email: 'a@example.com', name: 'A', password: TEST_PASSWORD };
    const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

    it.each([
      ['no JSON', '{"email"', 400, 'VALIDATION'],
      ['__proto__', `{"email":"a@example.com","__proto__":{"role":"owner"}}`, 400, 'VALIDATION'],
      ['a nested constructor', `{"name":{"constructor":{"prototype":{"a":1}}}}`, 400, 'VALIDATION'],
      ['depth 1,000', deep(1000), 400, 'VALIDATION'],
      ['depth 100,000', deep(100_000), 400, 'VALIDATION'],
      ['10 MB', `{"name":"${'x'.repeat(10_000_000)}"}`, 413, 'BODY_TOO_LARGE'],
      ['a bare string', '"text"', 400, 'VALIDATION'],
      ['an array', '[]', 400, 'VALIDATION'],
    ])('%s is refused', async (_name, body, status, code) => {
      const answer = await register(body);
      expect([answer.status, answer.body.code]).toEqual([status, code]);
      expect(answer.body.message).toMatch(/[.!]$/);
      expect(JSON.stringify(answer.body)).not.toMatch(/stack|node_modules| at /);
    });

    it('extra keys are named, so that nobody makes themselves owner of another workspace', async () => {
      const answer = await register({ ...good, role: 'owner', workspaceId: person.workspaceId });
      expect(answer.status).toBe(400);
      expect(Object.keys(answer.body.details.fields as object).sort()).toEqual(['role', 'workspaceId']);
    });

    it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/xml'])(
      '%s is 415: no form of another site can send anything',
      async (type) => {
        const answer = await register(JSON.stringify(good), type);
        expect([answer.status, answer.body.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
      },
    );

    it.each([0, 70_000, 'abc', 54.5, null])('port %s names the field', async (port) => {
      const body = { type: 'postgresql', host: 'localhost', port, username: 'u', database: 'd' };
      const answer = await me('post', '/v1/databases/test-connection').send(body);
      expect([answer.status, answer.body.code, Object.keys(answer.body.details.fields as object)]).toEqual([
        400,
        'VALIDATION',
        ['port'],
      ]);
    });

    it.each(['a\u0000b', 'a\nb', 'ş'.repeat(64)])('the database name %j is refused', async (database) => {
      const answer = await me('post', '/v1/databases/test-connection').send({
        type: 'postgresql',
        host: 'localhost',
        port: 5432,
        username: 'u',
        database,
      });
      expect([answer.status, answer.body.code]).toEqual([400, 'VALIDATION']);
    });

    it.each([
      ['file:///etc/passwd', 'HOST_FORBIDDEN'],
      ['gopher://x', 'HOST_FORBIDDEN'],
      ['169.254.169.254', 'HOST_FORBIDDEN'],
      ['::ffff:169.254.169.254', 'HOST_FORBIDDEN'],
      ['fe80::1%eth0', 'HOST_FORBIDDEN'],
      ['-oProxyCommand=x', 'VALIDATION'],
      ['a b', 'VALIDATION'],
    ])('the host %s is refused', async (host, code) => {
      const answer = await me('post', '/v1/databases/test-connection').send({
        type: 'postgresql',
        host,
        port: 5432,
        username: 'u',
        database: 'd',
      });
      expect([answer.status, answer.body.code]).toEqual([400, code]);
    });

    it('a NUL anywhere in a body is refused', async () => {
      const answer = await me('patch', '/v1/workspace').send({ name: 'a\u0000b' });
      expect([answer.status, answer.body.code]).toEqual([400, 'VALIDATION']);
    });

    it.each(['?page=0', '?page=abc', '?limit=101', '?limit=-1', '?unknown=1', '?page[$gt]=1', "?page=1'--"])(
      'the query %s is refused',
      async (query) => {
        const answer = await me('get', `/v1/audit${query}`);
        expect([answer.status, answer.body.code]).toEqual([400, 'VALIDATION']);
      },
    );

    it('an address that does not exist is 404 with a code of the table', async () => {
      const answer = await me('get', '/v1/nothing');
      expect([answer.status, Object.hasOwn(ERROR_RULES, answer.body.code as string), answer.body.correlationId]).toEqual([
        404,
        true,
        expect.any(String),
      ]);
    });
  });

  it('lets only our own origins read answers', async () => {
    const preflight = (origin: string) => http().options('/v1/auth/me').set({ origin, 'access-control-request-method': 'GET' });
    expect((await preflight(api.url)).headers['access-control-allow-origin']).toBe(api.url);
    expect((await preflight('https://evil.example')).headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('limits requests per address and route over all processes, and believes X-Forwarded-For from trusted proxies only', async () => {
    const redis = await startRedis({ persist: false });
    const options = { worker: false, database: api.postgres, redis };
    const behindProxy = { requestsPerMinute: 5, trustProxy: ['127.0.0.1'] };
    const servers = [
      await startApi({ ...options, config: behindProxy }),
      await startApi({ ...options, config: behindProxy }),
      await startApi({ ...options, config: { requestsPerMinute: 5 } }),
    ] as const;
    try {
      const [one, two, direct] = servers;
      const from = (server: RunningApi, ip: string) =>
        request(server.app.getHttpServer())
          .get('/v1/workspace')
          .set('x-forwarded-for', ip)
          .then((answer) => answer);
      for (let hit = 0; hit < 5; hit += 1) expect((await from(hit % 2 === 0 ? one : two, '198.51.100.1')).status).toBe(401);
      const refused = await from(two, '198.51.100.1');
      expect([refused.status, refused.body.code, Number(refused.headers['retry-after']) > 0]).toEqual([
        429,
        'RATE_LIMITED',
        true,
      ]);
      expect((await from(one, '198.51.100.2')).status).toBe(401);
      // no proxy is trusted here: whatever the header says, it is the same address
      const statuses: number[] = [];
      for (let hit = 0; hit < 7; hit += 1) statuses.push((await from(direct, `192.0.2.${hit}`)).status);
      expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429]);
      expect((await fetch(`${direct.url}/health/live`)).status).toBe(200);
      await redis.kill(); // each process now counts for itself: requests go on
      expect((await from(one, '198.51.100.1')).status).toBe(401);
    } finally {
      for (const server of servers) await server.stop();
      await redis.stop();
    }
  }, 60_000);

  it('measures by route and shows no name of a tenant', async () => {
    await me('get', '/v1/agents/019a3c1e-8c8b-7c6e-9d3e-0123456789ab');
    const { text } = await http().get('/metrics');
    expect(text).toContain('rahatback_http_request_duration_seconds_bucket');
    expect(text).toMatch(/route="\/v1\/agents\/:id"/);
    expect(text).toContain('process_cpu_user_seconds_total');
    for (const secret of [person.workspaceId, person.userId, '019a3c1e', 'Deniz']) expect(text).not.toContain(secret);
  });

  it('documents itself, with the fields of the DTOs and without a need to log in', async () => {
    const { body: document } = await http().get('/docs-json');
    expect(document.components.schemas.CreateJobDto.required).toEqual(expect.arrayContaining(['databaseId', 'name']));
    expect(document.components.schemas.DatabaseConnectionDto.properties.port).toMatchObject({
      type: 'integer',
      minimum: 1,
      maximum: 65_535,
    });
    const parameters = document.paths['/v1/audit'].get.parameters as { name: string }[];
    expect(parameters.map((parameter) => parameter.name).sort()).toEqual(['limit', 'page']);
    const page = await http().get('/docs');
    expect([page.status, page.headers['content-security-policy']]).toEqual([200, expect.stringContaining("script-src 'self'")]);
  });

  it('writes no password and no token to the log, and one correlation id per request', async () => {
    const secret = 'kanarya-parola-9f3b71';
    const canary = await http()
      .post('/v1/auth/register')
      .send({ email: 'canary@example.com', name: 'Canary', password: secret })
      .expect(201);
    const { accessToken, refreshToken } = canary.body.tokens as { accessToken: string; refreshToken: string };
    await http()
      .post('/v1/auth/login')
      .send({ email: 'canary@example.com', password: `${secret}-wrong` });
    await http()
      .get('/v1/auth/me?token=kanarya-sorgu')
      .set('authorization', `Bearer ${accessToken}`)
      .set('x-correlation-id', 'canary-request-1');
    await http().post('/v1/auth/refresh').send({ refreshToken });
    await http().put('/v1/parts/kanarya-ticket').send(Buffer.from('x'));
    await waitFor(() => lines.some((line) => line.includes('/v1/parts/[redacted]')), { describe: 'the last request in the log' });
    const log = lines.join('');
    for (const canaries of [
      secret,
      accessToken,
      refreshToken,
      accessToken.split('.')[2] ?? '',
      'kanarya-sorgu',
      'kanarya-ticket',
      person.accessToken,
    ]) {
      expect(log).not.toContain(canaries);
    }
    expect(
      lines
        .map((line) => JSON.parse(line) as { correlationId?: string })
        .filter((line) => line.correlationId === 'canary-request-1').length,
    ).toBeGreaterThan(0);
  });
});
