import { Body, Controller, Get, Patch, Post } from '@nestjs/common';
import { AddMemberDto, UpdateWorkspaceDto } from '@rahatback/contracts';
import type { PersonView, WorkspaceView } from '@rahatback/contracts';
import type { Actor } from '../../platform/http/actor.js';
import { CurrentActor, Roles } from '../../platform/http/decorators.js';
import { WorkspaceService } from './workspace.service.js';

@Controller('v1/workspace')
export class WorkspaceController {
  constructor(private readonly workspaces: WorkspaceService) {}

  @Get()
  read(@CurrentActor() actor: Actor): Promise<WorkspaceView> {
    return this.workspaces.read(actor);
  }

  @Roles('owner')
  @Patch()
  update(@CurrentActor() actor: Actor, @Body() body: UpdateWorkspaceDto): Promise<WorkspaceView> {
    return this.workspaces.update(actor, body);
  }

  @Get('members')
  members(@CurrentActor() actor: Actor): Promise<PersonView[]> {
    return this.workspaces.members(actor);
  }

  @Roles('owner')
  @Post('members')
  addMember(@CurrentActor() actor: Actor, @Body() body: AddMemberDto): Promise<PersonView> {
    return this.workspaces.addMember(actor, body);
  }
}
