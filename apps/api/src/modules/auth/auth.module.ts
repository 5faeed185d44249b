import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActorDirectory } from '../../platform/http/actor.js';
import { AccountsService } from './accounts.service.js';
import { AuthController } from './auth.controller.js';
import { LoginLimiter } from './login-limiter.service.js';
import { Membership } from './membership.entity.js';
import { Passwords } from './passwords.service.js';
import { PeopleRepository } from './people.repository.js';
import { RefreshTokenRow } from './refresh-token.entity.js';
import { SessionService } from './session.service.js';
import { StepUp } from './step-up.service.js';
import { User } from './user.entity.js';
import { WorkspaceController } from './workspace.controller.js';
import { Workspace } from './workspace.entity.js';
import { WorkspaceService } from './workspace.service.js';

/** Global, because every guarded request and socket asks `ActorDirectory`. */
@Global()
@Module({
  imports: [TypeOrmModule.forFeature([User, Workspace, Membership, RefreshTokenRow])],
  controllers: [AuthController, WorkspaceController],
  providers: [
    PeopleRepository,
    { provide: ActorDirectory, useExisting: PeopleRepository },
    Passwords,
    LoginLimiter,
    SessionService,
    StepUp,
    AccountsService,
    WorkspaceService,
  ],
  exports: [ActorDirectory, WorkspaceService],
})
export class AuthModule {}
