import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Query } from '@nestjs/common';
import { CreateStorageDto, PageQueryDto, UpdateStorageDto } from '@rahatback/contracts';
import type { Page, StorageTestAnswer, StorageView } from '@rahatback/contracts';
import type { Actor } from '../../platform/http/actor.js';
import { CurrentActor, IdParam, Roles, TokenScope } from '../../platform/http/decorators.js';
import { StoragesService } from './storages.service.js';

@Controller('v1/storages')
export class StoragesController {
  constructor(private readonly storages: StoragesService) {}

  @Roles('owner', 'admin')
  @TokenScope('setup:write')
  @Post()
  create(@CurrentActor() actor: Actor, @Body() dto: CreateStorageDto): Promise<StorageView> {
    return this.storages.create(actor, dto);
  }

  @Roles('owner', 'admin')
  @TokenScope('setup:write')
  @Post('test')
  @HttpCode(200)
  testUnsaved(@CurrentActor() actor: Actor, @Body() dto: CreateStorageDto): Promise<StorageTestAnswer> {
    return this.storages.testUnsaved(actor, dto);
  }

  @Get()
  list(@CurrentActor() actor: Actor, @Query() query: PageQueryDto): Promise<Page<StorageView>> {
    return this.storages.list(actor, query);
  }

  @Get(':id')
  get(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<StorageView> {
    return this.storages.get(actor, id);
  }

  @Roles('owner', 'admin')
  @TokenScope('setup:write')
  @Patch(':id')
  update(@CurrentActor() actor: Actor, @IdParam() id: string, @Body() dto: UpdateStorageDto): Promise<StorageView> {
    return this.storages.update(actor, id, dto);
  }

  @Roles('owner', 'admin')
  @TokenScope('setup:write')
  @Delete(':id')
  @HttpCode(204)
  remove(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<void> {
    return this.storages.remove(actor, id);
  }

  @TokenScope('backups:run')
  @Post(':id/test')
  @HttpCode(200)
  testSaved(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<StorageTestAnswer> {
    return this.storages.testSaved(actor, id);
  }
}
