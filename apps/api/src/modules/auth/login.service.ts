import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import type { LoginCodeDto, LoginDto } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { Tx } from '../../platform/database/database.js';
import type { IssuedChallenge } from './login-challenges.service.js';
import { LoginDoors } from './login-doors.service.js';
import type { Attempt, LoginClient } from './login-doors.service.js';
import { Passwords } from './passwords.service.js';
import { PeopleRepository } from './people.repository.js';
import type { KnownPerson } from './people.repository.js';
import { SecondFactor } from './second-factor.service.js';
import type { StartedSession } from './session-opening.service.js';

const failed = (): AppError =>
  new AppError('LOGIN_FAILED', 'The e-mail address or the password is wrong. Check both and try again.');

/** Logging in, in one step or, where the person has a second factor, in two. */
@Injectable()
export class Login {
  constructor(
    private readonly database: Database,
    private readonly people: PeopleRepository,
    private readonly passwords: Passwords,
    private readonly secondFactor: SecondFactor,
    private readonly doors: LoginDoors,
  ) {}

  /** @throws AppError LOGIN_FAILED (the same for a wrong password and an unknown address), LOGIN_THROTTLED, UNAVAILABLE */
  async withPassword({ email, password }: LoginDto, client: LoginClient): Promise<StartedSession | IssuedChallenge> {
    const account = email.toLowerCase();
    const person = await this.people.findByEmail(email, client.ip);
    const attempt = await this.doors.knock(account, person, client, 'password');
    if (!(await this.passwords.matches(person?.passwordHash, password)) || !person) {
      if (person) await this.refused(person, client, 'session.refused');
      throw failed();
    }
    await this.doors.right(attempt, 'password');
    await this.renewHash(person, password);
    if (person.hasTotp) return this.doors.challenges.issue(person);
    return this.database.asSystem('login', (tx) => this.start(tx, person, attempt, { factor: 'password' }));
  }

  /** @throws AppError LOGIN_FAILED for a challenge that is none any more, TOTP_WRONG, LOGIN_THROTTLED, UNAVAILABLE */
  async withCode({ challenge, code }: LoginCodeDto, client: LoginClient): Promise<StartedSession> {
    const claims = this.doors.challenges.read(challenge);
    const person = claims && (await this.people.findById(claims.userId, claims.workspaceId, client.ip));
    if (!claims || person?.hasTotp !== true || person.credentialsVersion !== claims.version) throw this.doors.challenges.ended();
    const attempt = await this.doors.knock(person.view.email.toLowerCase(), person, client, 'code');
    const started = await this.database.asSystem('login', async (tx) => {
      const factor = await this.secondFactor.use(tx, person.view, code);
      if (!factor) return undefined;
      await this.doors.challenges.use(claims);
      await this.doors.right(attempt, 'code');
      return this.start(tx, person, attempt, { factor });
    });
    if (!started) {
      await this.refused(person, client, 'session.code_refused');
      throw new AppError('TOTP_WRONG', 'This code is wrong, or it was used already. Wait for the next one and type that.');
    }
    return started;
  }

  private async start(tx: Tx, person: KnownPerson, attempt: Attempt, detail: { factor: string }): Promise<StartedSession> {
    if (!(await this.people.holdCredentials(tx, person))) throw failed();
    await this.people.forgetEndedSessions(tx, person.view.id);
    return this.doors.open(tx, person, attempt, detail);
  }

  private async renewHash(person: KnownPerson, password: string): Promise<void> {
    if (!this.passwords.isOutdated(person.passwordHash)) return;
    await this.people.renewHash(person, await this.passwords.hash(password));
  }

  private async refused(person: KnownPerson, client: LoginClient, action: string): Promise<void> {
    await this.database.asSystem('login', (tx) => this.doors.refused(tx, person, client, action));
  }
}
