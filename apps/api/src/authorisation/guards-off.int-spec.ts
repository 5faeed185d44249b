import type { ExecutionContext } from '@nestjs/common';
import { Database } from '../platform/database/database.js';
import type { Actor } from '../platform/http/actor.js';
import type { ActorRequest } from '../platform/http/decorators.js';
import { JwtAuthGuard } from '../platform/http/jwt-auth.guard.js';
import { RolesGuard } from '../platform/http/roles.guard.js';
import { StepUpGuard } from '../platform/http/step-up.guard.js';
import type { RunningApi } from '../testing/start-api.js';
import { startApi } from '../testing/start-api.js';
import { actorOf } from './testing/principals.js';
import { RouteMatrix } from './testing/route-matrix.js';
import { ROUTES } from './testing/route-table.js';

const GUARDED = Object.entries(ROUTES)
  .filter(([, { who }]) => who !== 'anybody' && who !== 'credential')
  .map(([route]) => route);

/** The explicit system path: these write to the table of people of all workspaces, so nothing but the actor says where. */
const SYSTEM_PATH = ['POST /v1/workspace/members', 'POST /v1/auth/password'];

/** No guard asks anything. */
describe('without guards', () => {
  let api: RunningApi;
  let matrix: RouteMatrix;
  beforeAll(async () => {
    api = await startApi({ worker: false, config: { trustProxy: ['127.0.0.1'], leaseMs: 600_000 } });
    matrix = await RouteMatrix.prepare(api);
  }, 90_000);
  afterEach(() => jest.restoreAllMocks());
  afterAll(() => api?.stop());

  const admit = (actor: Actor): void => {
    jest.spyOn(JwtAuthGuard.prototype, 'canActivate').mockImplementation((context: ExecutionContext) => {
      context.switchToHttp().getRequest<ActorRequest>().actor = actor;
      return Promise.resolve(true);
    });
    for (const guard of [RolesGuard, StepUpGuard]) jest.spyOn(guard.prototype, 'canActivate').mockReturnValue(true);
  };
  const leaksOf = async (routes: readonly string[]): Promise<string[]> => {
    const found: string[] = [];
    for (const route of routes) found.push(...(await matrix.leaks(route)));
    return found;
  };

  it('a viewer of workspace B is shown and changes nothing of workspace A', async () => {
    admit({ ...(await actorOf(matrix.worlds.other)), role: 'viewer' });
    for (const route of GUARDED.filter((name) => !name.endsWith('#swap'))) await matrix.stranger(route);
    process.stdout.write(`guards off: ${matrix.requests} requests, ${matrix.wrong.length} leaks\n`);
    expect(matrix.wrong).toEqual([]);
    expect(matrix.requests).toBeGreaterThan(GUARDED.length);
  }, 600_000);

  it('row-level security alone holds, also where every WHERE names workspace A', async () => {
    admit(await actorOf(matrix.worlds.own));
    const inWorkspace = Database.prototype.inWorkspace;
    const { workspaceId } = matrix.worlds.other;
    jest.spyOn(Database.prototype, 'inWorkspace').mockImplementation(function (this: Database, _asked, work) {
      return inWorkspace.call(this, workspaceId, work);
    });
    const routes = GUARDED.filter((name) => !SYSTEM_PATH.includes(name));
    const found = await leaksOf(routes);
    process.stdout.write(`guards and WHERE off: ${routes.length} requests, ${found.length} leaks\n`);
    expect(found).toEqual([]);
  }, 300_000);

  it('and without it these tests see what leaks', async () => {
    admit(await actorOf(matrix.worlds.own));
    jest.spyOn(Database.prototype, 'inWorkspace').mockImplementation(function (this: Database, _asked, work) {
      return this.asSystem('a test without row-level security', work);
    });
    const reads = GUARDED.filter((name) => name.startsWith('GET '));
    const leaking = new Set((await leaksOf(reads)).map((sentence) => sentence.split(':', 1)[0]));
    process.stdout.write(`row-level security off, too: ${leaking.size} of ${reads.length} reads leak\n`);
    expect(leaking.size).toBeGreaterThan(15);
  }, 300_000);
});
