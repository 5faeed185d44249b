import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Query } from '@nestjs/common';
import { CreateJobDto, PageQueryDto, UpdateJobDto } from '@rahatback/contracts';
import type { JobView, Page } from '@rahatback/contracts';
import type { Actor } from '../../platform/http/actor.js';
import { CurrentActor, IdParam, Roles, TokenScope } from '../../platform/http/decorators.js';
import { JobChanges } from './job-changes.service.js';
import { JobsService } from './jobs.service.js';

@Controller('v1/backups/jobs')
export class JobsController {
  constructor(
    private readonly jobs: JobsService,
    private readonly changes: JobChanges,
  ) {}

  @Roles('owner', 'admin')
  @TokenScope('setup:write')
  @Post()
  create(@CurrentActor() actor: Actor, @Body() dto: CreateJobDto): Promise<JobView> {
    return this.jobs.create(actor, dto);
  }

  @Get()
  list(@CurrentActor() actor: Actor, @Query() query: PageQueryDto): Promise<Page<JobView>> {
    return this.jobs.list(actor, query);
  }

  @Get(':id')
  get(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<JobView> {
    return this.jobs.get(actor, id);
  }

  @Roles('owner', 'admin')
  @TokenScope('setup:write')
  @Patch(':id')
  async update(@CurrentActor() actor: Actor, @IdParam() id: string, @Body() dto: UpdateJobDto): Promise<JobView> {
    await this.changes.update(actor, id, dto);
    return this.jobs.get(actor, id);
  }

  @Roles('owner', 'admin')
  @TokenScope('setup:write')
  @Delete(':id')
  @HttpCode(204)
  remove(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<void> {
    return this.jobs.remove(actor, id);
  }
}
