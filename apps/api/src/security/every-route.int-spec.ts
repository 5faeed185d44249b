import { ERROR_RULES } from '@rahatback/contracts';
import { routesOf } from '../authorisation/testing/routes.js';
import type { Registered, RunningApi } from '../testing/start-api.js';
import { startApi } from '../testing/start-api.js';

/** What a query or a path should survive: SQL, shells, paths, templates, signs that end texts or lines. */
const HOSTILE = [
  ...[
    "' OR '1'='1",
    "1'; DROP TABLE users; --",
    '1 UNION SELECT password_hash FROM users',
    '(SELECT pg_sleep(5))',
    '$1',
    '"',
    '\\',
  ],
  ...['; id', '$(id)', '`id`', '| cat /etc/passwd', '-Fc', '--help', '../../etc/passwd', '%2e%2e%2f', '${7*7}', '{{7*7}}'],
  ...[
    'a\u0000b',
    'a\r\nSet-Cookie: x=1',
    '\u001b[2J',
    '\u202Egnp',
    '🦆',
    '-1',
    '1e999',
    'NaN',
    '99999999999999999999',
    '[]',
    '{}',
    '__proto__',
  ],
];
/** What must never leave: our stack, our statements, our files. */
const LEAKS =
  /node_modules|\.[jt]s:\d|at \w+ \(|SELECT |INSERT INTO|relation "|syntax error at|password_hash|\/home\/|pg_catalog|QueryFailedError/;
const ID = '019a3c1e-8c8b-7c6e-9d3e-0123456789ab';

interface Document {
  readonly paths: Record<string, Record<string, { parameters?: { name: string; in: string }[]; requestBody?: object }>>;
}

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly query: readonly string[];
  readonly hasBody: boolean;
}

describe('every route', () => {
  let api: RunningApi;
  let person: Registered;
  let operations: Operation[];
  beforeAll(async () => {
    api = await startApi({ worker: false, config: { logLevel: 'silent' } });
    person = await api.register();
    const { paths } = (await (await fetch(`${api.url}/docs-json`)).json()) as Document;
    operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { parameters = [], requestBody }]) => ({
        method: method.toUpperCase(),
        path,
        query: parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name),
        hasBody: requestBody !== undefined,
      })),
    );
  }, 60_000);
  afterAll(() => api?.stop());

  const send = (method: string, path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${api.url}${path}`, {
      method,
      ...init,
      headers: { authorization: `Bearer ${person.accessToken}`, ...(init.headers as Record<string, string> | undefined) },
    });
  const filled = (path: string, value = ID): string => path.replace(/\{\w+\}|:\w+/g, () => encodeURIComponent(value));
  /** Refused with one of our codes, or answered; nothing of ours in it. */
  const inspect = async (what: string, answer: Response): Promise<string | undefined> => {
    const text = await answer.text();
    if (LEAKS.test(text)) return `${what} leaks: ${text.slice(0, 200)}`;
    if (answer.status < 400) return undefined;
    const { code } = JSON.parse(text) as { code?: string };
    const known = code !== undefined && Object.hasOwn(ERROR_RULES, code) && code !== 'INTERNAL';
    return known ? undefined : `${what} answers ${answer.status} ${text.slice(0, 200)}`;
  };

  it('answers with the headers that a browser needs, no-store among them, and sets no foreign cookie', async () => {
    const wrong: string[] = [];
    const routes = routesOf(api.app).filter((route) => !/\s\/docs/.test(route));
    for (const route of routes) {
      const [method = '', path = ''] = route.split(' ');
      const answer = await fetch(`${api.url}${filled(path)}`, { method }); // a stranger: nothing is carried out
      const expected: Record<string, RegExp> = {
        'strict-transport-security': /^max-age=31536000; includeSubDomains$/,
        'x-content-type-options': /^nosniff$/,
        'referrer-policy': /^no-referrer$/,
        'x-frame-options': /^DENY$/,
        'cache-control': /no-store/,
        'content-security-policy': /default-src 'none'.*base-uri 'none'.*object-src 'none'.*frame-ancestors 'none'/,
        'cross-origin-resource-policy': /^same-origin$/,
      };
      for (const [name, pattern] of Object.entries(expected))
        if (!pattern.test(answer.headers.get(name) ?? '')) wrong.push(`${route}: ${name}: ${answer.headers.get(name)}`);
      if (answer.headers.has('x-powered-by') || answer.headers.has('server')) wrong.push(`${route} names its software`);
      for (const cookie of answer.headers.getSetCookie())
        if (!/^__Host-.*; Path=\/.*; HttpOnly; Secure; SameSite=Strict/.test(cookie)) wrong.push(`${route}: ${cookie}`);
      await answer.body?.cancel();
    }
    expect(wrong).toEqual([]);
    expect(routes.length).toBeGreaterThan(60);
    process.stdout.write(`headers: ${routes.length} routes\n`);
  }, 60_000);

  it('takes hostile text in every query and path as text: refused or not found, quickly, and nothing shown', async () => {
    const wrong: string[] = [];
    let requests = 0;
    for (const { method, path, query } of operations.filter((one) => one.method === 'GET' && one.path.startsWith('/v1/'))) {
      const places = [...query.map((name) => (value: string) => `${filled(path)}?${name}=${encodeURIComponent(value)}`)];
      if (/[{:]/.test(path)) places.push((value) => filled(path, value));
      for (const place of places) {
        for (const value of HOSTILE) {
          requests += 1;
          const found = await inspect(`${method} ${place(value)}`, await send(method, place(value)));
          if (found !== undefined) wrong.push(found);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(requests).toBeGreaterThan(1000);
    process.stdout.write(`hostile texts: ${requests} requests\n`);
    const [row] = await api.postgres.query('SELECT count(*) FROM users');
    expect(Number(row?.[0])).toBe(1);
  }, 120_000);

  it('refuses fields that nobody asked for, and every body that a foreign form could send', async () => {
    const wrong: string[] = [];
    const writes = operations.filter(({ hasBody, path }) => hasBody && path.startsWith('/v1/') && !path.startsWith('/v1/parts'));
    for (const { method, path } of writes) {
      const extra = { role: 'owner', workspaceId: ID, isAdmin: true, createdAt: '2020-01-01' };
      const answer = await send(method, filled(path), {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(extra),
      });
      const body = (await answer.json()) as { code: string; details?: { fields?: object } };
      if (answer.status !== 400 || !Object.keys(body.details?.fields ?? {}).includes('isAdmin'))
        wrong.push(`${method} ${path}: ${JSON.stringify(body)}`);
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
        const form = await send(method, filled(path), { headers: { 'content-type': type }, body: JSON.stringify({}) });
        if (form.status !== 415) wrong.push(`${method} ${path} takes ${type}: ${form.status}`);
        await form.body?.cancel();
      }
    }
    expect(wrong).toEqual([]);
    expect(writes.length).toBeGreaterThan(15);
  }, 60_000);

  it('knows no other method, whatever a header says', async () => {
    const path = '/v1/workspace';
    const override = await send('GET', path, { headers: { 'x-http-method-override': 'DELETE', 'x-method-override': 'PATCH' } });
    expect(override.status).toBe(200);
    for (const method of ['PUT', 'DELETE', 'LINK', 'PROPFIND'])
      expect([method, (await send(method, path)).status]).toEqual([method, 404]);
    expect(
      (await send('POST', `${path}?_method=PATCH`, { headers: { 'content-type': 'application/json' }, body: '{}' })).status,
    ).toBe(404);
  });
});
