import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import type { ChangePasswordDto } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { AuditTrail } from '../audit/index.js';
import type { IssuedDevice } from './known-devices.service.js';
import { KnownDevices } from './known-devices.service.js';
import { OwnSessions } from './own-sessions.service.js';
import { OwnPassword } from './own-password.service.js';
import { assertStrongPassword } from './password-policy.js';
import { Passwords } from './passwords.service.js';
import { PeopleRepository } from './people.repository.js';

export interface ChangedPassword {
  readonly sessionsEnded: number;
  readonly device: IssuedDevice;
}

/** A new password. Everything that was opened with the old one ends, but for the session that changes it: sessions, half log-ins, known devices. */
@Injectable()
export class PasswordChange {
  constructor(
    private readonly database: Database,
    private readonly people: PeopleRepository,
    private readonly passwords: Passwords,
    private readonly own: OwnPassword,
    private readonly sessions: OwnSessions,
    private readonly devices: KnownDevices,
    private readonly audit: AuditTrail,
  ) {}

  /** @throws AppError LOGIN_FAILED, PASSWORD_WEAK, CONFLICT when it was changed meanwhile, LOGIN_THROTTLED, UNAVAILABLE */
  async change(actor: Actor, { currentPassword, newPassword }: ChangePasswordDto): Promise<ChangedPassword> {
    const user = await this.own.check(actor, currentPassword);
    assertStrongPassword(newPassword, user);
    if (newPassword === currentPassword)
      throw new AppError('PASSWORD_WEAK', 'This is the password that you have. Choose another one.');
    const newHash = await this.passwords.hash(newPassword);
    return this.database.asSystem('change password', async (tx) => {
      const credentialsVersion = await this.people.replacePassword(tx, user.id, user.passwordHash, newHash);
      if (credentialsVersion === undefined) {
        throw new AppError('CONFLICT', 'The password was changed elsewhere just now. Log in again with the new one.');
      }
      this.own.changed(tx, user.id);
      const sessionsEnded = await this.sessions.endOthersIn(tx, actor);
      await this.audit.record(tx, {
        workspaceId: actor.workspaceId,
        actor,
        action: 'password.changed',
        targetType: 'user',
        targetId: user.id,
        detail: { sessionsEnded },
      });
      const account = user.email.toLowerCase();
      return { sessionsEnded, device: this.devices.issue({ account, credentialsVersion }) };
    });
  }
}
