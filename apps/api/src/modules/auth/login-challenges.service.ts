import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { z } from 'zod';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import { readTicket, signTicket } from '../../platform/keys/signed-ticket.js';
import { RedisClients } from '../../platform/queues/redis-clients.js';
import { counted } from './growing-limit.js';
import type { KnownPerson } from './people.repository.js';

const PURPOSE = 'login-challenge';
const LIFE_MS = 5 * 60_000;

const claimsSchema = z.object({
  userId: z.string(),
  workspaceId: z.string(),
  version: z.string(),
  until: z.number(),
  nonce: z.string(),
});
export type ChallengeClaims = z.infer<typeof claimsSchema>;

export interface IssuedChallenge {
  readonly challenge: string;
  readonly challengeExpiresAt: Date;
}

/** Between the password and the code: who was right about the password has five minutes for the code, once. */
@Injectable()
export class LoginChallenges {
  constructor(
    private readonly keys: ServerKeys,
    private readonly redis: RedisClients,
  ) {}

  issue({ view, credentialsVersion }: KnownPerson): IssuedChallenge {
    const until = Date.now() + LIFE_MS;
    const claims = { userId: view.id, workspaceId: view.workspaceId, version: credentialsVersion, until };
    return { challenge: signTicket(this.keys.kek, PURPOSE, claims), challengeExpiresAt: new Date(until) };
  }

  /** Undefined for what this server did not make, or whose time is over. */
  read(challenge: string): ChallengeClaims | undefined {
    const { data } = claimsSchema.safeParse(readTicket(this.keys.kek, PURPOSE, challenge));
    return data && data.until > Date.now() ? data : undefined;
  }

  /** @throws AppError LOGIN_FAILED the second time, UNAVAILABLE when Redis is away */
  async use({ nonce }: ChallengeClaims): Promise<void> {
    const first = await counted(() =>
      this.redis.general.set(`rahatback:login-challenge:${nonce}`, 'used', 'PX', 2 * LIFE_MS, 'NX'),
    );
    if (first !== 'OK') throw this.ended();
  }

  ended(): AppError {
    return new AppError('LOGIN_FAILED', 'This log-in has ended before its code came. Begin again with your password.');
  }
}
