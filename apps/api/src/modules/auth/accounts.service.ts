import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import type { LoginDto, PersonView, RegisterDto } from '@rahatback/contracts';
import { assertRecipient } from '@rahatback/crypto';
import { Database } from '../../platform/database/database.js';
import type { Tx } from '../../platform/database/database.js';
import { isUniqueViolation } from '../../platform/database/database-errors.js';
import { newId } from '../../platform/ids.js';
import { AuditTrail } from '../audit/index.js';
import { LoginLimiter } from './login-limiter.service.js';
import { Membership } from './membership.entity.js';
import { assertStrongPassword } from './password-policy.js';
import { Passwords } from './passwords.service.js';
import { PeopleRepository } from './people.repository.js';
import type { KnownPerson } from './people.repository.js';
import { SessionService } from './session.service.js';
import type { IssuedSession, SessionClient } from './session.service.js';
import { User } from './user.entity.js';
import { Workspace } from './workspace.entity.js';

export interface StartedSession {
  readonly user: PersonView;
  readonly session: IssuedSession;
}

/** Signing up and logging in. */
@Injectable()
export class AccountsService {
  constructor(
    private readonly database: Database,
    private readonly people: PeopleRepository,
    private readonly passwords: Passwords,
    private readonly sessions: SessionService,
    private readonly limiter: LoginLimiter,
    private readonly audit: AuditTrail,
  ) {}

  /** @throws AppError PASSWORD_WEAK, EMAIL_TAKEN, RECOVERY_KEY_INVALID, RATE_LIMITED */
  async register(request: RegisterDto, client: SessionClient): Promise<StartedSession> {
    await this.limiter.registration(client.ip);
    assertStrongPassword(request.password, request);
    if (typeof request.recoveryRecipient === 'string') assertRecipient(request.recoveryRecipient);
    const passwordHash = await this.passwords.hash(request.password);
    const user: PersonView = { id: newId(), email: request.email, name: request.name, workspaceId: newId(), role: 'owner' };
    return this.database.asSystem('register', async (tx) => {
      await insertUser(tx, { id: user.id, email: user.email, name: user.name, passwordHash });
      await tx.insert(Workspace, {
        id: user.workspaceId,
        name: request.workspaceName ?? request.name,
        recoveryRecipient: request.recoveryRecipient ?? null,
      });
      await tx.insert(Membership, { workspaceId: user.workspaceId, userId: user.id, role: user.role });
      return { user, session: await this.start(tx, user, client, 'workspace.created') };
    });
  }

  /** @throws AppError LOGIN_FAILED (the same for a wrong password and an unknown address), LOGIN_THROTTLED */
  async login({ email, password }: LoginDto, client: SessionClient): Promise<StartedSession> {
    const account = email.toLowerCase();
    await this.limiter.attempt(account, client.ip);
    const person = await this.people.findByEmail(email, client.ip);
    if (!person?.knowsAddress) await this.limiter.strangerAttempt(account);
    if (!(await this.passwords.matches(person?.passwordHash, password)) || !person) {
      await this.refuse(account, person, client);
      throw new AppError('LOGIN_FAILED', 'The e-mail address or the password is wrong. Check both and try again.');
    }
    await this.limiter.succeeded(account, client.ip);
    const newHash = this.passwords.isOutdated(person.passwordHash) ? await this.passwords.hash(password) : undefined;
    return this.database.asSystem('login', async (tx) => {
      if (newHash !== undefined) await tx.update(User, { id: person.view.id }, { passwordHash: newHash });
      await this.people.forgetEndedSessions(tx, person.view.id);
      return { user: person.view, session: await this.start(tx, person.view, client, 'session.started') };
    });
  }

  private async start(tx: Tx, user: PersonView, client: SessionClient, action: string): Promise<IssuedSession> {
    const session = await this.sessions.begin(tx, { userId: user.id, workspaceId: user.workspaceId }, client);
    await this.audit.record(tx, {
      workspaceId: user.workspaceId,
      actor: {
        userId: user.id,
        workspaceId: user.workspaceId,
        role: user.role,
        ip: client.ip,
        sessionId: session.sessionId,
        authenticatedAt: session.authenticatedAt,
      },
      action,
      targetType: 'user',
      targetId: user.id,
    });
    return session;
  }

  private async refuse(account: string, person: KnownPerson | undefined, client: SessionClient): Promise<void> {
    await this.limiter.failed(account);
    if (!person) return;
    await this.database.asSystem('login', (tx) =>
      this.audit.record(tx, {
        workspaceId: person.view.workspaceId,
        actor: { anonymousIp: client.ip },
        action: 'session.refused',
        targetType: 'user',
        targetId: person.view.id,
        outcome: 'failure',
      }),
    );
  }
}

/** @throws AppError EMAIL_TAKEN */
export async function insertUser(tx: Tx, user: Pick<User, 'id' | 'email' | 'name' | 'passwordHash'>): Promise<void> {
  try {
    await tx.insert(User, user);
  } catch (error) {
    if (!isUniqueViolation(error, 'users_email')) throw error;
    throw new AppError('EMAIL_TAKEN', 'There is an account with this e-mail address. Log in, or use another address.');
  }
}
