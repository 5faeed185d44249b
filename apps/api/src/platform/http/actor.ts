import type { ApiTokenScope, Role } from '@rahatback/contracts';

/** The API token that stands for a person. */
export interface ActingToken {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly ApiTokenScope[];
}

/** The person behind a request or a socket. `sessionId` is the log-in (the family of its refresh tokens), or the API token. */
export interface Actor {
  readonly userId: string;
  readonly workspaceId: string;
  readonly role: Role;
  readonly ip: string;
  readonly sessionId: string;
  /** When this person last typed their password, as the access token says. */
  readonly authenticatedAt: Date;
  /** The workspace asks for an authenticator and this person has none: all they may do is set one up. */
  readonly lacksTotp?: boolean;
  /** Not the person themselves, but a token that they made. */
  readonly apiToken?: ActingToken;
}

/** Implemented by the auth module: whether the log-in still stands, and with which role. Asked at every request, so that revoking works at once. */
export abstract class ActorDirectory {
  abstract find(claims: {
    userId: string;
    workspaceId: string;
    sessionId: string;
  }): Promise<Omit<Actor, 'ip' | 'authenticatedAt'> | undefined>;
}

/** Implemented by the module of API tokens. Asked at every request, as `ActorDirectory` is. */
export abstract class ApiTokenDirectory {
  /** Whether a bearer token is one of these by its form. */
  abstract isApiToken(token: string): boolean;

  /** Its maker with their present role; undefined for one that is unknown, expired, revoked, or whose maker has left. @throws AppError RATE_LIMITED */
  abstract find(token: string): Promise<{ actor: Omit<Actor, 'ip'>; expiresAt: Date } | undefined>;

  /** The token was let in. May be called at every request. */
  abstract used(actor: Actor): Promise<void>;
}
