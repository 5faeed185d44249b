import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { Throttle } from '@nestjs/throttler';
import { CreateEnrolCodeDto, EnrolAgentDto, PageQueryDto, ReacceptAgentDto } from '@rahatback/contracts';
import type { AgentView, EnrolAnswer, EnrolCodeView, Page } from '@rahatback/contracts';
import type { Actor } from '../../platform/http/actor.js';
import { CurrentActor, IdParam, Public, Roles, TokenScope } from '../../platform/http/decorators.js';
import { AgentsService } from './agents.service.js';
import { EnrolmentService } from './enrolment.service.js';

@Controller('v1/agents')
export class AgentsController {
  constructor(
    private readonly agents: AgentsService,
    private readonly enrolment: EnrolmentService,
  ) {}

  @Roles('owner', 'admin')
  @TokenScope('admin')
  @Post('enrol-codes')
  createCode(@CurrentActor() actor: Actor, @Body() dto: CreateEnrolCodeDto): Promise<EnrolCodeView> {
    return this.enrolment.createCode(actor, dto);
  }

  /** The code is the credential; ten tries a minute and address make guessing one hopeless. */
  @Public()
  @Throttle({ default: { limit: 10, ttl: 60_000 } })
  @Post('enrol')
  enrol(@Body() dto: EnrolAgentDto): Promise<EnrolAnswer> {
    return this.enrolment.enrol(dto);
  }

  @Get()
  list(@CurrentActor() actor: Actor, @Query() query: PageQueryDto): Promise<Page<AgentView>> {
    return this.agents.list(actor, query);
  }

  @Get(':id')
  get(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<AgentView> {
    return this.agents.get(actor, id);
  }

  @Roles('owner', 'admin')
  @TokenScope('admin')
  @Post(':id/revoke')
  @HttpCode(200)
  revoke(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<AgentView> {
    return this.agents.revoke(actor, id);
  }

  @Roles('owner', 'admin')
  @Post(':id/reaccept')
  @HttpCode(200)
  reaccept(@CurrentActor() actor: Actor, @IdParam() id: string, @Body() dto: ReacceptAgentDto): Promise<AgentView> {
    return this.agents.reaccept(actor, id, dto.fingerprint);
  }
}
