import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import type { PersonView, RegisterDto } from '@rahatback/contracts';
import { assertRecipient } from '@rahatback/crypto';
import { Database } from '../../platform/database/database.js';
import type { Tx } from '../../platform/database/database.js';
import { isUniqueViolation } from '../../platform/database/database-errors.js';
import { newId } from '../../platform/ids.js';
import { KnownDevices } from './known-devices.service.js';
import { LoginLimiter } from './login-limiter.service.js';
import { Membership } from './membership.entity.js';
import { assertStrongPassword } from './password-policy.js';
import { Passwords } from './passwords.service.js';
import { NEVER_CHANGED } from './people.repository.js';
import { SessionOpening } from './session-opening.service.js';
import type { StartedSession } from './session-opening.service.js';
import type { SessionClient } from './session.service.js';
import { User } from './user.entity.js';
import { Workspace } from './workspace.entity.js';

/** Signing up. */
@Injectable()
export class AccountsService {
  constructor(
    private readonly database: Database,
    private readonly passwords: Passwords,
    private readonly opening: SessionOpening,
    private readonly devices: KnownDevices,
    private readonly limiter: LoginLimiter,
  ) {}

  /** @throws AppError PASSWORD_WEAK, EMAIL_TAKEN, RECOVERY_KEY_INVALID, RATE_LIMITED */
  async register(request: RegisterDto, client: SessionClient): Promise<StartedSession> {
    await this.limiter.registration(client.ip);
    assertStrongPassword(request.password, request);
    if (typeof request.recoveryRecipient === 'string') assertRecipient(request.recoveryRecipient);
    const passwordHash = await this.passwords.hash(request.password);
    const user: PersonView = { id: newId(), email: request.email, name: request.name, workspaceId: newId(), role: 'owner' };
    const device = this.devices.issue({ account: user.email.toLowerCase(), credentialsVersion: NEVER_CHANGED });
    return this.database.asSystem('register', async (tx) => {
      await insertUser(tx, { id: user.id, email: user.email, name: user.name, passwordHash });
      await tx.insert(Workspace, {
        id: user.workspaceId,
        name: request.workspaceName ?? request.name,
        recoveryRecipient: request.recoveryRecipient ?? null,
      });
      await tx.insert(Membership, { workspaceId: user.workspaceId, userId: user.id, role: user.role });
      return { user, device, session: await this.opening.open(tx, user, client, { action: 'workspace.created' }) };
    });
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
