import type { KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { AppError } from '@rahatback/contracts';
import passport from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import type { StrategyOptionsWithoutRequest } from 'passport-jwt';
import { z } from 'zod';
import { AppConfig } from '../config/app-config.js';
import { newId } from '../ids.js';
import { ServerKeys } from '../keys/server-keys.js';
import type { Actor } from './actor.js';
import { ActorDirectory, ApiTokenDirectory } from './actor.js';

const AUDIENCE = 'rahatback-api';
const TOKEN_TYPE = 'at+jwt'; // RFC 9068
const ALGORITHM = 'ES256';

const claimsSchema = z.object({
  sub: z.string(),
  ws: z.string(),
  sid: z.string(),
  exp: z.number(),
  auth_time: z.number().default(0),
});
type Claims = z.infer<typeof claimsSchema>;
const headerSchema = z.object({ typ: z.literal(TOKEN_TYPE), alg: z.literal(ALGORITHM), kid: z.string() });

export interface AuthenticatedActor {
  readonly actor: Actor;
  readonly expiresAt: Date;
}

const refused = (): AppError =>
  new AppError('UNAUTHENTICATED', 'Log in and send a valid access token; one lives 15 minutes and is renewed by refresh.');

/**
 * Access tokens of people (RFC 9068, ES256 with key id) for HTTP and for sockets. The passport is this instance's own, not the process-wide
 * one, so that two servers in one process never check each other's tokens.
 */
@Injectable()
export class AccessTokens {
  private readonly passport = new passport.Passport();
  private readonly jwt = new JwtService();
  private readonly issuer: string;
  private readonly pems = new WeakMap<KeyObject, string>();

  constructor(
    private readonly config: AppConfig,
    private readonly keys: ServerKeys,
    private readonly actors: ActorDirectory,
    private readonly apiTokens: ApiTokenDirectory,
  ) {
    this.issuer = `rahatback:${keys.serverId}`;
    this.passport.use(
      'jwt',
      new Strategy(this.strategyOptions(), (claims: unknown, done: (error: unknown, claims?: unknown) => void) =>
        done(null, claims),
      ),
    );
  }

  /** `auth_time` (OpenID Connect Core, seconds) is when the password was typed; a token without one counts as never. */
  async issue(
    actor: Pick<Actor, 'userId' | 'workspaceId' | 'sessionId' | 'authenticatedAt'>,
  ): Promise<{ token: string; expiresAt: Date }> {
    const expiresAt = new Date((Math.floor(Date.now() / 1000) + this.config.accessTokenMinutes * 60) * 1000);
    const token = await this.jwt.signAsync(
      {
        ws: actor.workspaceId,
        sid: actor.sessionId,
        auth_time: Math.floor(actor.authenticatedAt.getTime() / 1000),
        exp: expiresAt.getTime() / 1000,
      },
      {
        privateKey: this.keys.jwt.privateKey,
        algorithm: ALGORITHM,
        keyid: this.keys.jwt.kid,
        header: { alg: ALGORITHM, typ: TOKEN_TYPE },
        issuer: this.issuer,
        audience: AUDIENCE,
        subject: actor.userId,
        jwtid: newId(),
      },
    );
    return { token, expiresAt };
  }

  /**
   * Checks signature, type, issuer, audience and time, then asks whether the log-in and the membership still stand.
   * API tokens are looked up.
   * @throws AppError UNAUTHENTICATED, RATE_LIMITED
   */
  async authenticate(token: string | undefined, ip: string): Promise<AuthenticatedActor> {
    if (token === undefined) throw refused();
    if (this.isApiToken(token)) return this.byApiToken(token, ip);
    const claims = await this.verify(token);
    const found = await this.actors.find({ userId: claims.sub, workspaceId: claims.ws, sessionId: claims.sid });
    if (!found) throw refused();
    const authenticatedAt = new Date(claims.auth_time * 1000);
    return { actor: { ...found, ip, authenticatedAt }, expiresAt: new Date(claims.exp * 1000) };
  }

  isApiToken(token: string): boolean {
    return this.apiTokens.isApiToken(token);
  }

  private async byApiToken(token: string, ip: string): Promise<AuthenticatedActor> {
    const found = await this.apiTokens.find(token);
    if (found) return { actor: { ...found.actor, ip }, expiresAt: found.expiresAt };
    throw new AppError('UNAUTHENTICATED', 'This API token is unknown, expired or revoked. Make another one in the console.');
  }

  private verify(token: string): Promise<Claims> {
    return new Promise((resolve, reject) => {
      const decide = (error: unknown, claims: unknown): void => {
        const parsed = claimsSchema.safeParse(claims);
        if (error) reject(error instanceof Error ? error : refused());
        else if (parsed.success) resolve(parsed.data);
        else reject(refused());
      };
      const check = this.passport.authenticate('jwt', { session: false }, decide) as (
        request: object,
        response: object,
        next: (error: unknown) => void,
      ) => void;
      check({ headers: { authorization: `Bearer ${token}` } }, {}, reject);
    });
  }

  private strategyOptions(): StrategyOptionsWithoutRequest {
    return {
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      algorithms: [ALGORITHM],
      issuer: this.issuer,
      audience: AUDIENCE,
      secretOrKeyProvider: (_request: unknown, token: string, done: (error: unknown, key?: string | Buffer) => void) => {
        const key = this.keyOf(token);
        if (key) done(null, key);
        else done(refused());
      },
    };
  }

  /** Written once for each key: it is asked for with every request. */
  private pemOf(key: KeyObject): string {
    const known = this.pems.get(key) ?? key.export({ format: 'pem', type: 'spki' }).toString();
    this.pems.set(key, known);
    return known;
  }

  private keyOf(token: string): string | undefined {
    try {
      const header = headerSchema.parse(JSON.parse(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString()));
      const key = this.keys.jwt.publicKeys.get(header.kid);
      return key && this.pemOf(key);
    } catch {
      return undefined;
    }
  }
}
