import type { ApiTokenScope, CreatedApiToken, Role, SessionAnswer } from '@rahatback/contracts';
import { API_TOKEN_SCOPES } from '@rahatback/contracts';
import { signBytes } from '@rahatback/crypto';
import { AppConfig } from '../../platform/config/app-config.js';
import { AccessTokens } from '../../platform/http/access-tokens.js';
import type { Actor } from '../../platform/http/actor.js';
import { ActorDirectory, ApiTokenDirectory } from '../../platform/http/actor.js';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import type { RunningApi } from '../../testing/start-api.js';
import { TEST_PASSWORD } from '../../testing/start-api.js';
import type { World } from './world.js';

/** Those of workspace A, unless the name says otherwise. Expired and revoked ones were owners. */
export const PRINCIPALS = [
  'anonymous',
  'expired token',
  'revoked log-in',
  'agent',
  'owner of another workspace',
  'viewer',
  'operator',
  'admin',
  'owner',
  'API token for read',
  'API token for backups:run',
  'API token for restores:run',
  'API token for setup:write',
  'API token for admin',
  'API token of an admin who is a viewer now',
  'expired API token',
  'revoked API token',
  'API token of somebody who left',
] as const;
export type Principal = (typeof PRINCIPALS)[number];

/** What each shows as a bearer token. */
export type Tokens = Readonly<Record<Principal, string | undefined>>;

/** What a live API token may do at most: its scopes, and the present role of its maker. */
export const TOKEN_RIGHTS: Readonly<Partial<Record<Principal, { role: Role; scopes: readonly ApiTokenScope[] }>>> = {
  'API token for read': { role: 'owner', scopes: ['read'] },
  'API token for backups:run': { role: 'owner', scopes: ['backups:run'] },
  'API token for restores:run': { role: 'owner', scopes: ['restores:run'] },
  'API token for setup:write': { role: 'owner', scopes: ['setup:write'] },
  'API token for admin': { role: 'owner', scopes: ['admin'] },
  'API token of an admin who is a viewer now': { role: 'viewer', scopes: API_TOKEN_SCOPES },
};

/** From the least to the most. */
export const RANKS: readonly Role[] = ['viewer', 'operator', 'admin', 'owner'];

export const roleOf = (principal: Principal): Role | undefined => RANKS.find((role) => role === principal);

/** Who hears the events of the workspace. */
export const mayListen = (principal: Principal): boolean => {
  const scopes = TOKEN_RIGHTS[principal]?.scopes ?? [];
  return roleOf(principal) !== undefined || scopes.includes('read') || scopes.includes('admin');
};

export async function tokensOf(own: World, other: World): Promise<Tokens> {
  const { api, scene } = own;
  const { owner } = scene.base;
  return {
    anonymous: undefined,
    'expired token': await expiredToken(api, await actorOf(own)),
    'revoked log-in': await revokedToken(api, owner.email),
    agent: agentToken(own),
    'owner of another workspace': other.scene.base.owner.accessToken,
    viewer: await memberToken(own, 'viewer'),
    operator: await memberToken(own, 'operator'),
    admin: await memberToken(own, 'admin'),
    owner: owner.accessToken,
    ...(await apiTokensOf(own)),
  };
}

async function apiTokensOf(own: World): Promise<Pick<Tokens, Extract<Principal, `${string}API token${string}`>>> {
  const { api, scene } = own;
  const { owner } = scene.base;
  const of = async (maker: string, scopes: readonly ApiTokenScope[]): Promise<CreatedApiToken> => {
    const { status, body } = await api.call('POST', '/v1/api-tokens', { token: maker, body: { name: 'Program', scopes } });
    if (status !== 201) throw new Error(`api-tokens answered ${status}: ${JSON.stringify(body)}`);
    return body as CreatedApiToken;
  };
  const [expired, revoked] = [await of(owner.accessToken, ['admin']), await of(owner.accessToken, ['admin'])];
  const demoted = await of(await memberToken(own, 'admin'), API_TOKEN_SCOPES);
  const left = await of(await memberToken(own, 'admin'), API_TOKEN_SCOPES);
  await api.postgres.query(`UPDATE api_tokens SET expires_at = now() - interval '1 second' WHERE id = '${expired.id}'`);
  await api.call('DELETE', `/v1/api-tokens/${revoked.id}`, { token: owner.accessToken });
  await api.postgres.query(`UPDATE memberships SET role = 'viewer' WHERE user_id = '${demoted.userId}'`);
  await api.postgres.query(`DELETE FROM memberships WHERE user_id = '${left.userId}'`);
  const tokens = {
    'API token for read': (await of(owner.accessToken, ['read'])).token,
    'API token for backups:run': (await of(owner.accessToken, ['backups:run'])).token,
    'API token for restores:run': (await of(owner.accessToken, ['restores:run'])).token,
    'API token for setup:write': (await of(owner.accessToken, ['setup:write'])).token,
    'API token for admin': (await of(owner.accessToken, ['admin'])).token,
    'API token of an admin who is a viewer now': demoted.token,
    'expired API token': expired.token,
    'revoked API token': revoked.token,
    'API token of somebody who left': left.token,
  };
  // As if they had just been used: that they are used shows in no row meanwhile.
  await api.postgres.query(`UPDATE api_tokens SET last_used_at = now() + interval '1 hour'`);
  return tokens;
}

/** The owner as the server sees them. */
export async function actorOf({ api, scene }: World): Promise<Actor> {
  const { accessToken } = scene.base.owner;
  return (await api.app.get(AccessTokens).authenticate(accessToken, '127.0.0.1')).actor;
}

/** Signed by the server itself, a minute too old. */
async function expiredToken(api: RunningApi, actor: Actor): Promise<string> {
  const config = { ...api.app.get(AppConfig), accessTokenMinutes: -1 };
  const tokens = new AccessTokens(config, api.app.get(ServerKeys), api.app.get(ActorDirectory), api.app.get(ApiTokenDirectory));
  return (await tokens.issue(actor)).token;
}

async function logIn(api: RunningApi, email: string): Promise<SessionAnswer> {
  const { status, body } = await api.call('POST', '/v1/auth/login', { body: { email, password: TEST_PASSWORD } });
  if (status !== 200) throw new Error(`login answered ${status}: ${JSON.stringify(body)}`);
  return body as SessionAnswer;
}

/** Not expired, but its log-in has ended. */
async function revokedToken(api: RunningApi, email: string): Promise<string> {
  const { tokens } = await logIn(api, email);
  await api.call('POST', '/v1/auth/logout', { body: { refreshToken: tokens.refreshToken } });
  return tokens.accessToken;
}

async function memberToken({ api, scene, credentials }: World, role: Role): Promise<string> {
  const email = credentials.fresh();
  const body = { email, name: `A ${role}`, password: TEST_PASSWORD, role };
  const { status } = await api.call('POST', '/v1/workspace/members', { token: scene.base.owner.accessToken, body });
  if (status !== 201) throw new Error(`members answered ${status} for ${role}`);
  return (await logIn(api, email)).tokens.accessToken;
}

/** What an agent could make itself: the owner's claims, signed with the key that the server knows as the agent's. */
function agentToken({ scene }: World): string {
  const { agent, owner } = scene.base;
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { sub: owner.userId, ws: owner.workspaceId, sid: owner.userId, aud: 'rahatback-api', exp: 4_000_000_000 };
  const head = `${part({ alg: 'EdDSA', typ: 'at+jwt', kid: agent.id })}.${part(claims)}`;
  return `${head}.${Buffer.from(signBytes(agent.signPrivateKey, Buffer.from(head)), 'base64').toString('base64url')}`;
}
