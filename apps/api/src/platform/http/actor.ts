import type { Role } from '@rahatback/contracts';

/** The person behind a request or a socket. `sessionId` is the log-in (the family of its refresh tokens). */
export interface Actor {
  readonly userId: string;
  readonly workspaceId: string;
  readonly role: Role;
  readonly ip: string;
  readonly sessionId: string;
  /** When this person last typed their password, as the access token says. */
  readonly authenticatedAt: Date;
}

/** Implemented by the auth module: whether the log-in still stands, and with which role. Asked at every request, so that revoking works at once. */
export abstract class ActorDirectory {
  abstract find(claims: {
    userId: string;
    workspaceId: string;
    sessionId: string;
  }): Promise<Omit<Actor, 'ip' | 'authenticatedAt'> | undefined>;
}
