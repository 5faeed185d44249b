import type { Role, SessionAnswer } from '@rahatback/contracts';
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
] as const;
export type Principal = (typeof PRINCIPALS)[number];

/** What each shows as a bearer token. */
export type Tokens = Readonly<Record<Principal, string | undefined>>;

/** From the least to the most. */
export const RANKS: readonly Role[] = ['viewer', 'operator', 'admin', 'owner'];

export const roleOf = (principal: Principal): Role | undefined => RANKS.find((role) => role === principal);

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
  };
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
