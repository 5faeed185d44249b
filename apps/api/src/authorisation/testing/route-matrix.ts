import type { ApiTokenScope, Role } from '@rahatback/contracts';
import type { RunningApi } from '../../testing/start-api.js';
import type { Principal, Tokens } from './principals.js';
import { PRINCIPALS, RANKS, roleOf, TOKEN_RIGHTS, tokensOf } from './principals.js';
import type { Answer } from './requests.js';
import { kindsOf, leaksIn, send, withoutIds } from './requests.js';
import type { Asked, RouteRow, Who } from './route-table.js';
import { ROUTES } from './route-table.js';
import { scopeOf } from './token-table.js';
import type { Look } from './tenant-state.js';
import { TenantState } from './tenant-state.js';
import type { Ids } from './world.js';
import { unknownIds, World } from './world.js';

type Verdict = 'may' | 401 | 403 | 'stranger';

const REFUSALS = [401, 403, 404];

/** What the row means for somebody who asks with ids of workspace A. */
function verdictOf(route: string, who: Who, principal: Principal): Verdict {
  if (who === 'anybody' || who === 'credential') return 'may';
  const token = TOKEN_RIGHTS[principal];
  if (token) return tokenVerdict(route, who, token);
  if (principal === 'owner of another workspace') return 'stranger';
  const role = roleOf(principal);
  if (role === undefined) return 401;
  return RANKS.indexOf(role) >= RANKS.indexOf(who) ? 'may' : 403;
}

function tokenVerdict(route: string, who: Role, { role, scopes }: { role: Role; scopes: readonly ApiTokenScope[] }): Verdict {
  const needed = scopeOf(route);
  if (needed === undefined || RANKS.indexOf(role) < RANKS.indexOf(who)) return 403;
  return scopes.includes(needed) || scopes.includes('admin') ? 'may' : 403;
}

export const rowOf = (route: string): RouteRow => {
  const row = ROUTES[route];
  if (!row) throw new Error(`No row for ${route}.`);
  return row;
};

/** Two workspaces, everybody who may knock, and what became of it. */
export class RouteMatrix {
  readonly wrong: string[] = [];
  requests = 0;
  private cells = 0;
  private done = 0;
  /** The state after the last look, while nobody has changed it on purpose. */
  private last: Look | undefined;

  private constructor(
    private readonly api: RunningApi,
    readonly worlds: { readonly own: World; readonly other: World },
    private readonly tokens: Tokens,
    private readonly state: TenantState,
    private readonly secrets: ReadonlySet<string>,
  ) {}

  static async prepare(api: RunningApi): Promise<RouteMatrix> {
    const worlds = { own: await World.create(api), other: await World.create(api) };
    const tokens = await tokensOf(worlds.own, worlds.other);
    const state = await TenantState.keep(api.postgres);
    const secrets = await state.secretsOf(worlds.own.workspaceId, worlds.other.workspaceId);
    return new RouteMatrix(api, worlds, tokens, state, secrets);
  }

  summary(): string {
    return `${this.cells} cells (${this.done} requests of those who may were carried out), ${this.wrong.length} wrong`;
  }

  /** All cells of a route: who is refused first, then strangers, then who may. */
  async check(route: string): Promise<void> {
    const row = rowOf(route);
    const verdicts = PRINCIPALS.map((principal) => ({ principal, verdict: verdictOf(route, row.who, principal) }));
    await this.refused(route, verdicts);
    if (row.forged !== undefined) await this.forged(route, row.forged);
    if (verdicts.some(({ verdict }) => verdict === 'stranger')) await this.stranger(route);
    await this.online(row.waits !== true);
    for (const { principal, verdict } of verdicts) if (verdict === 'may') await this.may(route, row, principal);
    await this.reset();
  }

  private async look(): Promise<Look> {
    this.last = await this.state.look(this.worlds.own.workspaceId);
    return this.last;
  }

  private async before(): Promise<Look> {
    return this.last ?? this.look();
  }

  private reset(): Promise<void> {
    this.last = undefined;
    return this.state.reset();
  }

  private ask(route: string, asked: Asked, token?: string): Promise<Answer> {
    this.requests += 1;
    return send(this.api.url, route, asked, token);
  }

  private note(isRight: boolean, cell: string, found: Answer | string): void {
    this.cells += 1;
    const shown = typeof found === 'string' ? found : `${found.status} ${found.body.slice(0, 300)}`;
    if (!isRight) this.wrong.push(`${cell}: ${shown}`);
  }

  /** All of them in a row, and one look at what they changed; only where that is something, one after the other to see who it was. */
  private async refused(route: string, verdicts: readonly { principal: Principal; verdict: Verdict }[]): Promise<void> {
    const cells = verdicts.filter(({ verdict }) => verdict === 401 || verdict === 403);
    if (cells.length === 0) return;
    const before = await this.before();
    const answers: Answer[] = [];
    for (const { principal } of cells) answers.push(await this.askAs(route, principal));
    const changed = this.state.changed(before, await this.look());
    for (const [index, { principal, verdict }] of cells.entries()) {
      const answer = answers[index];
      this.note(answer?.status === verdict, `${route}, ${principal}, expected ${verdict}`, answer ?? 'no answer');
    }
    if (changed !== '') await this.blame(route, changed, cells);
  }

  private async blame(route: string, changed: string, cells: readonly { principal: Principal }[]): Promise<void> {
    const guilty: string[] = [];
    for (const { principal } of cells) {
      await this.reset();
      const before = await this.look();
      await this.askAs(route, principal);
      if (this.state.changed(before, await this.look()) !== '') guilty.push(principal);
    }
    await this.reset();
    this.note(
      false,
      `${route}, refused, but rows of ${changed} changed`,
      `by ${guilty.join(', ') || 'nobody who was asked again'}`,
    );
  }

  private askAs(route: string, principal: Principal): Promise<Answer> {
    const { own } = this.worlds;
    return this.ask(route, rowOf(route).ask(own.ids, own.credentials), this.tokens[principal]);
  }

  private async forged(route: string, asked: Asked): Promise<void> {
    const before = await this.before();
    const answer = await this.ask(route, asked);
    const isSame = (await this.look()).everything === before.everything;
    this.note(answer.status >= 400 && answer.status < 500 && isSame, `${route}, without its credential`, answer);
  }

  private async may(route: string, row: RouteRow, principal: Principal): Promise<void> {
    const answer = await this.askAs(route, principal);
    if (answer.status < 400) this.done += 1;
    const isAnswered = !REFUSALS.includes(answer.status) || (row.absent === true && answer.status === 404);
    this.note(isAnswered && answer.status !== 500, `${route}, ${principal}, who may`, answer);
    if (!route.startsWith('GET ')) {
      await this.reset();
      await this.online(row.waits !== true);
    }
  }

  /**
   * Ids of workspace A in the hands of B's owner: all of them, and one at a time among B's own. Each answer must be what ids of nobody are
   * answered with, say nothing of A, and leave A as it was.
   */
  async stranger(route: string): Promise<void> {
    const row = rowOf(route);
    if (row.waits === true) await this.online(false);
    const { own, other } = this.worlds;
    const kinds = kindsOf(row, own.ids, own.credentials);
    const nobody = unknownIds();
    const pairs: [label: string, foreign: Ids, unknown: Ids][] = [['ids', own.ids, nobody]];
    for (const kind of kinds.length > 1 ? kinds : [])
      pairs.push([kind, { ...other.ids, [kind]: own.ids[kind] }, { ...other.ids, [kind]: nobody[kind] }]);
    for (const [label, foreign, unknown] of pairs) {
      const cell = `${route}, owner of another workspace, with the ${label} of A`;
      const isInPath = row.ask(own.ids, own.credentials).id;
      const needs404 = isInPath !== undefined && row.ask(foreign, other.credentials).id === isInPath;
      const answer = await this.strange(route, row, foreign);
      const untold = kinds.length === 0 ? answer : await this.strange(route, row, unknown);
      const problems = [
        ...answer.problems,
        ...(needs404 && answer.status !== 404 ? ['expected 404'] : []),
        ...(kinds.length > 0 && withoutIds(answer, foreign) !== withoutIds(untold, unknown)
          ? [`ids of nobody are answered otherwise: ${untold.status} ${untold.body.slice(0, 200)}`]
          : []),
      ];
      this.note(problems.length === 0, `${cell}: ${problems.join(', ')}`, answer);
    }
  }

  /** What an answer says or changes of A, whatever else it is. */
  async leaks(route: string): Promise<string[]> {
    const row = rowOf(route);
    await this.online(row.waits !== true);
    const { problems } = await this.strange(route, row, this.worlds.own.ids);
    return problems.filter((problem) => problem.includes('of A')).map((problem) => `${route}: ${problem}`);
  }

  private async strange(route: string, row: RouteRow, ids: Ids): Promise<Answer & { problems: string[] }> {
    const asked = row.ask(ids, this.worlds.other.credentials);
    const before = await this.before();
    const answer = await this.ask(route, asked, this.tokens['owner of another workspace']);
    const after = await this.look();
    const isRefused = answer.status >= 400;
    const leaks = leaksIn(`${JSON.stringify(answer.headers)}${answer.body}`, this.secrets, JSON.stringify(asked));
    const problems = [
      ...leaks.map((leak) => `it says ${leak} of A`),
      ...(after.own === before.own ? [] : ['rows of A changed']),
      ...(isRefused && after.everything !== before.everything ? ['rows changed although it was refused'] : []),
    ];
    if (!route.startsWith('GET ') && after.everything !== before.everything) await this.reset();
    return { ...answer, problems };
  }

  /** Whether the agents are in touch: what waits for an agent's answer would wait in vain for these. */
  private async online(isOnline: boolean): Promise<void> {
    this.last = undefined;
    await this.api.postgres.query(
      `UPDATE agents SET session_id = ${isOnline ? `'socket-' || id` : 'NULL'} WHERE state = 'active'`,
    );
  }
}
