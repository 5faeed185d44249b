import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActorDirectory } from '../../platform/http/actor.js';
import { AccountsService } from './accounts.service.js';
import { AccountNotices } from './account-notices.service.js';
import { AuthController } from './auth.controller.js';
import { KnownDevices } from './known-devices.service.js';
import { LoginChallenges } from './login-challenges.service.js';
import { LoginDoors } from './login-doors.service.js';
import { Login } from './login.service.js';
import { LoginLimiter } from './login-limiter.service.js';
import { Membership } from './membership.entity.js';
import { OwnAccountController } from './own-account.controller.js';
import { OwnPassword } from './own-password.service.js';
import { OwnSessions } from './own-sessions.service.js';
import { PasswordChange } from './password-change.service.js';
import { Passwords } from './passwords.service.js';
import { PeopleRepository } from './people.repository.js';
import { RefreshTokenRow } from './refresh-token.entity.js';
import { SecondFactor } from './second-factor.service.js';
import { SecondFactorsRepository } from './second-factors.repository.js';
import { SessionOpening } from './session-opening.service.js';
import { SessionsRepository } from './sessions.repository.js';
import { SessionService } from './session.service.js';
import { StepUp } from './step-up.service.js';
import { TotpController } from './totp.controller.js';
import { Totp } from './totp.service.js';
import { User } from './user.entity.js';
import { WorkspaceController } from './workspace.controller.js';
import { Workspace } from './workspace.entity.js';
import { WorkspaceService } from './workspace.service.js';

/** Global, because every guarded request and socket asks `ActorDirectory`. */
@Global()
@Module({
  imports: [TypeOrmModule.forFeature([User, Workspace, Membership, RefreshTokenRow])],
  controllers: [AuthController, OwnAccountController, TotpController, WorkspaceController],
  providers: [
    PeopleRepository,
    { provide: ActorDirectory, useExisting: PeopleRepository },
    Passwords,
    LoginLimiter,
    SessionService,
    AccountNotices,
    SessionOpening,
    SessionsRepository,
    OwnSessions,
    OwnPassword,
    PasswordChange,
    KnownDevices,
    LoginChallenges,
    LoginDoors,
    Login,
    SecondFactorsRepository,
    SecondFactor,
    Totp,
    StepUp,
    AccountsService,
    WorkspaceService,
  ],
  exports: [ActorDirectory, WorkspaceService],
})
export class AuthModule {}
