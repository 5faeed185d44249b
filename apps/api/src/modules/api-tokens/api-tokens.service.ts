import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import type { ApiTokenScope, ApiTokenView, CreateApiTokenDto, CreatedApiToken, Role } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { newId } from '../../platform/ids.js';
import { LiveEvents } from '../../platform/realtime/live-events.js';
import { AuditTrail } from '../audit/index.js';
import { apiTokenSha256, newApiToken, shownPrefix } from './api-token-secret.js';
import type { StoredApiToken } from './api-tokens.repository.js';
import { ApiTokensRepository } from './api-tokens.repository.js';

const DEFAULT_DAYS = 90;
const MOST_LIVE_TOKENS = 50;

/** From the least to the most. */
const RANKS: readonly Role[] = ['viewer', 'operator', 'admin', 'owner'];
/** The least role that gets anything out of a scope. */
const LEAST_ROLE: Readonly<Record<ApiTokenScope, Role>> = {
  read: 'viewer',
  'backups:run': 'operator',
  'restores:run': 'operator',
  'setup:write': 'admin',
  admin: 'admin',
};

/** Who sees and revokes everybody's tokens. */
const seesAll = ({ role }: Actor): boolean => role === 'owner' || role === 'admin';

const toView = ({ workspaceId: _, ...token }: StoredApiToken): ApiTokenView => ({
  ...token,
  createdAt: token.createdAt.toISOString(),
  expiresAt: token.expiresAt.toISOString(),
  lastUsedAt: token.lastUsedAt?.toISOString() ?? null,
  revokedAt: token.revokedAt?.toISOString() ?? null,
});

/** API tokens: made by a person for a program, listed, revoked. */
@Injectable()
export class ApiTokensService {
  constructor(
    private readonly database: Database,
    private readonly tokens: ApiTokensRepository,
    private readonly audit: AuditTrail,
    private readonly live: LiveEvents,
  ) {}

  /** The only time that the token itself is shown. @throws AppError FORBIDDEN for a scope beyond the person's role, CONFLICT for too many */
  create(actor: Actor, { name, scopes, expiresInDays = DEFAULT_DAYS }: CreateApiTokenDto): Promise<CreatedApiToken> {
    assertWithinRole(actor.role, scopes);
    const { userId, workspaceId } = actor;
    const token = newApiToken();
    return this.database.inWorkspace(workspaceId, async (tx) => {
      if ((await this.tokens.countLive(tx, userId)) >= MOST_LIVE_TOKENS) {
        throw new AppError('CONFLICT', `You have ${MOST_LIVE_TOKENS} API tokens. Revoke one that is not needed any more.`);
      }
      const kept = { prefix: shownPrefix(token), tokenSha256: apiTokenSha256(token), days: expiresInDays };
      const stored = await this.tokens.insert(tx, { id: newId(), workspaceId, userId, name, scopes, ...kept });
      await this.audit.record(tx, {
        workspaceId,
        actor,
        action: 'api_token.created',
        targetType: 'api_token',
        targetId: stored.id,
        detail: { name, scopes, expiresAt: stored.expiresAt.toISOString() },
      });
      return { ...toView(stored), token };
    });
  }

  /** One's own; admins and owners see those of the workspace. */
  list(actor: Actor): Promise<ApiTokenView[]> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) =>
      (await this.tokens.list(tx, seesAll(actor) ? undefined : actor.userId)).map(toView),
    );
  }

  /** At once, with its sockets. @throws AppError NOT_FOUND for one that is revoked already, or not theirs to revoke */
  revoke(actor: Actor, id: string): Promise<void> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const revoked = await this.tokens.revoke(tx, id, seesAll(actor) ? undefined : actor.userId);
      if (!revoked) throw new AppError('NOT_FOUND', 'There is no such API token, or it is revoked already.');
      await this.audit.record(tx, {
        workspaceId: actor.workspaceId,
        actor,
        action: 'api_token.revoked',
        targetType: 'api_token',
        targetId: id,
        detail: { name: revoked.name },
      });
      this.database.afterCommit(tx, () => this.live.closeSession(id));
    });
  }
}

function assertWithinRole(role: Role, scopes: readonly ApiTokenScope[]): void {
  const beyond = scopes.filter((scope) => RANKS.indexOf(role) < RANKS.indexOf(LEAST_ROLE[scope]));
  if (beyond.length > 0) {
    throw new AppError(
      'FORBIDDEN',
      `Your role (${role}) may not do what these scopes are for: ${beyond.join(', ')}. Leave them out.`,
    );
  }
}
