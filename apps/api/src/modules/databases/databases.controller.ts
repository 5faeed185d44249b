import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Query } from '@nestjs/common';
import {
  CreateDatabaseDto,
  DatabaseConnectionDto,
  PageQueryDto,
  RebindDatabaseDto,
  UpdateDatabaseDto,
} from '@rahatback/contracts';
import type { ConnectionTestAnswer, DatabaseView, Page } from '@rahatback/contracts';
import type { Actor } from '../../platform/http/actor.js';
import { CurrentActor, IdParam, Roles, TokenScope } from '../../platform/http/decorators.js';
import { FreshLogin } from '../../platform/http/step-up.guard.js';
import { ConnectionTests } from './connection-tests.service.js';
import { DatabaseRebind } from './database-rebind.service.js';
import { DatabasesService } from './databases.service.js';

@Controller('v1/databases')
export class DatabasesController {
  constructor(
    private readonly databases: DatabasesService,
    private readonly tests: ConnectionTests,
    private readonly rebind: DatabaseRebind,
  ) {}

  @Roles('owner', 'admin')
  @TokenScope('setup:write')
  @Post('test-connection')
  @HttpCode(200)
  testUnsaved(@CurrentActor() actor: Actor, @Body() dto: DatabaseConnectionDto): Promise<ConnectionTestAnswer> {
    return this.tests.testUnsaved(actor, dto);
  }

  @Roles('owner', 'admin')
  @TokenScope('setup:write')
  @Post()
  create(@CurrentActor() actor: Actor, @Body() dto: CreateDatabaseDto): Promise<DatabaseView> {
    return this.databases.create(actor, dto);
  }

  @Get()
  list(@CurrentActor() actor: Actor, @Query() query: PageQueryDto): Promise<Page<DatabaseView>> {
    return this.databases.list(actor, query);
  }

  @Get(':id')
  get(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<DatabaseView> {
    return this.databases.get(actor, id);
  }

  @Roles('owner', 'admin')
  @TokenScope('setup:write')
  @Patch(':id')
  update(@CurrentActor() actor: Actor, @IdParam() id: string, @Body() dto: UpdateDatabaseDto): Promise<DatabaseView> {
    return this.databases.update(actor, id, dto);
  }

  @Roles('owner', 'admin')
  @TokenScope('setup:write')
  @Delete(':id')
  @HttpCode(204)
  remove(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<void> {
    return this.databases.remove(actor, id);
  }

  @Post(':id/rebind')
  @HttpCode(200)
  @Roles('owner', 'admin')
  @FreshLogin()
  rebindTo(@CurrentActor() actor: Actor, @IdParam() id: string, @Body() dto: RebindDatabaseDto): Promise<DatabaseView> {
    return this.rebind.run(actor, id, dto);
  }

  @TokenScope('backups:run')
  @Post(':id/test-connection')
  @HttpCode(200)
  testSaved(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<ConnectionTestAnswer> {
    return this.tests.testSaved(actor, id);
  }
}
