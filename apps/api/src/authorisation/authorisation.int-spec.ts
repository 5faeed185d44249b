import { TokenScopeGuard } from '../platform/http/token-scope.guard.js';
import type { RunningApi } from '../testing/start-api.js';
import { startApi } from '../testing/start-api.js';
import { RouteMatrix } from './testing/route-matrix.js';
import { ROUTES } from './testing/route-table.js';
import { TOKEN_READS, TOKEN_WRITES } from './testing/token-table.js';
import { routesOf, uncovered } from './testing/routes.js';

describe('authorisation', () => {
  let api: RunningApi;
  let matrix: RouteMatrix;
  beforeAll(async () => {
    api = await startApi({ worker: false, config: { trustProxy: ['127.0.0.1'], leaseMs: 600_000 } });
    matrix = await RouteMatrix.prepare(api);
  }, 90_000);
  afterAll(() => api?.stop());

  it('has a row for every route, and none for what is no route', () => {
    expect(routesOf(api.app).length).toBeGreaterThan(60);
    expect(uncovered('route', routesOf(api.app), Object.keys(ROUTES))).toEqual([]);
  });

  it('says scopes of routes only that there are', () => {
    const named = [...Object.keys(TOKEN_WRITES), ...Object.keys(TOKEN_READS)];
    expect(named.filter((route) => !(route in ROUTES))).toEqual([]);
  });

  it('would name a route that was forgotten, and a row that has outlived its route', () => {
    expect(uncovered('route', ['GET /a', 'GET /b'], ['GET /b', 'GET /c'])).toEqual([
      'The route "GET /a" has no row in the authorisation table: say there who may.',
      'The authorisation table has a row for "GET /c", which is no route any more: take it out.',
    ]);
  });

  it('answers every route to everybody as its row says, and changes nothing for who is refused', async () => {
    for (const route of Object.keys(ROUTES)) await matrix.check(route);
    process.stdout.write(`authorisation: ${routesOf(api.app).length} routes, ${matrix.summary()}\n`);
    expect(matrix.wrong).toEqual([]);
  }, 900_000);

  it('would see it if nobody asked for the scope of an API token', async () => {
    const asked = jest.spyOn(TokenScopeGuard.prototype, 'canActivate').mockResolvedValue(true);
    for (const route of ['GET /v1/api-tokens', 'PATCH /v1/backups/jobs/:id']) await matrix.check(route);
    asked.mockRestore();
    const seen = matrix.wrong.splice(0).map((sentence) => sentence.split(':', 2).join(':'));
    for (const cell of [
      'GET /v1/api-tokens, API token for read, expected 403',
      'GET /v1/api-tokens, API token for admin, expected 403',
      'PATCH /v1/backups/jobs/:id, API token for read, expected 403',
    ]) {
      expect(seen).toContainEqual(expect.stringContaining(cell.split(':')[0] ?? ''));
    }
    expect(seen.filter((sentence) => sentence.includes('rows of jobs'))).toHaveLength(1);
  }, 60_000);
});
