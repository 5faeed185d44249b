import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { ApiTokenDirectory } from '../../platform/http/actor.js';
import { RedisClients } from '../../platform/queues/redis-clients.js';
import { apiTokenSha256, hasApiTokenPrefix, isWellFormed } from './api-token-secret.js';
import { ApiTokensRepository } from './api-tokens.repository.js';

const WINDOW_SECONDS = 60;
/** A socket that a token opened asks again after this, as a person's does. */
const BELIEVED_MS = 15 * 60_000;
/** Before every log-in of a person: a token never counts as one. */
const NEVER = new Date(0);

/** Lets programs in that show an API token, as the person who made it and no further than that person may go now. */
@Injectable()
export class ApiTokenAdmission extends ApiTokenDirectory {
  private readonly requests: RateLimiterRedis;

  constructor(
    private readonly database: Database,
    private readonly tokens: ApiTokensRepository,
    redis: RedisClients,
    private readonly config: AppConfig,
  ) {
    super();
    const limit = { points: config.requestsPerMinute, duration: WINDOW_SECONDS };
    this.requests = new RateLimiterRedis({
      storeClient: redis.general,
      keyPrefix: 'rahatback:api-token',
      ...limit,
      // While Redis is away each process counts for itself, so that requests go on.
      insuranceLimiter: new RateLimiterMemory(limit),
    });
  }

  override isApiToken(token: string): boolean {
    return hasApiTokenPrefix(token);
  }

  override async find(token: string): Promise<{ actor: Omit<Actor, 'ip'>; expiresAt: Date } | undefined> {
    if (!isWellFormed(token)) return undefined;
    const found = await this.database.asSystem('authenticate', (tx) => this.tokens.findLive(tx, apiTokenSha256(token)));
    if (!found) return undefined;
    await this.count(found.id);
    const { id, name, scopes, workspaceId, userId, role, lacksTotp } = found;
    const actor = { workspaceId, userId, role, lacksTotp, sessionId: id, authenticatedAt: NEVER, apiToken: { id, name, scopes } };
    return { actor, expiresAt: new Date(Math.min(found.expiresAt.getTime(), Date.now() + BELIEVED_MS)) };
  }

  override async used({ workspaceId, ip, apiToken }: Actor): Promise<void> {
    if (apiToken) await this.database.inWorkspace(workspaceId, (tx) => this.tokens.touch(tx, apiToken.id, ip));
  }

  private async count(tokenId: string): Promise<void> {
    try {
      await this.requests.consume(tokenId);
    } catch (rejection) {
      if (!(rejection instanceof RateLimiterRes)) throw rejection;
      const retryAfterSeconds = Math.max(1, Math.ceil(rejection.msBeforeNext / 1000));
      const { requestsPerMinute } = this.config;
      throw new AppError(
        'RATE_LIMITED',
        `This API token made more than ${requestsPerMinute} requests in a minute. Try again in ${retryAfterSeconds} seconds.`,
        { retryAfterSeconds },
      );
    }
  }
}
