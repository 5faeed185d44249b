import { Injectable } from '@nestjs/common';
import type { Tx } from '../../platform/database/database.js';
import { AuditTrail } from '../audit/index.js';
import { KnownDevices } from './known-devices.service.js';
import { LoginChallenges } from './login-challenges.service.js';
import { LoginLimiter } from './login-limiter.service.js';
import type { Knock, Secret } from './login-limiter.service.js';
import { NEVER_CHANGED } from './people.repository.js';
import type { KnownPerson } from './people.repository.js';
import { SessionOpening } from './session-opening.service.js';
import type { StartedSession } from './session-opening.service.js';
import type { SessionClient } from './session.service.js';

/** A client that may have shown a token of a device. */
export interface LoginClient extends SessionClient {
  readonly deviceToken: string | undefined;
}

export interface Attempt {
  readonly knock: Knock;
  readonly isStranger: boolean;
  readonly client: LoginClient;
}

/** What stands around a log-in: limits before it, device and session after it. */
@Injectable()
export class LoginDoors {
  constructor(
    private readonly limiter: LoginLimiter,
    private readonly devices: KnownDevices,
    readonly challenges: LoginChallenges,
    private readonly opening: SessionOpening,
    private readonly audit: AuditTrail,
  ) {}

  /** @throws AppError LOGIN_THROTTLED, UNAVAILABLE */
  async knock(account: string, person: KnownPerson | undefined, client: LoginClient, secret: Secret): Promise<Attempt> {
    const credentialsVersion = person?.credentialsVersion ?? NEVER_CHANGED;
    const device = this.devices.read(client.deviceToken, { account, credentialsVersion });
    const knock: Knock = { account, ip: client.ip, device };
    const isStranger = device === undefined && person?.knowsNetwork !== true;
    await this.limiter.attempt(knock);
    if (isStranger) await this.limiter.strangerAttempt(account, secret);
    return { knock, isStranger, client };
  }

  right({ knock, isStranger }: Attempt, secret: Secret): Promise<void> {
    return this.limiter.right(knock, secret, isStranger);
  }

  async open(tx: Tx, person: KnownPerson, attempt: Attempt, detail: { factor: string }): Promise<StartedSession> {
    const { knock, client } = attempt;
    await this.limiter.loggedIn(knock);
    const session = await this.opening.open(tx, person.view, client, { action: 'session.started', detail });
    const { credentialsVersion } = person;
    return {
      user: person.view,
      session,
      device: this.devices.issue({ account: knock.account, credentialsVersion }, knock.device),
    };
  }

  refused(tx: Tx, { view }: KnownPerson, client: LoginClient, action: string): Promise<void> {
    return this.audit.record(tx, {
      workspaceId: view.workspaceId,
      actor: { anonymousIp: client.ip },
      action,
      targetType: 'user',
      targetId: view.id,
      outcome: 'failure',
    });
  }
}
