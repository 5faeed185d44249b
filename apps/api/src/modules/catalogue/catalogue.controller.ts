import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import type { ImportAnswer, ReconcileAnswer, TrustAnswer } from '@rahatback/contracts';
import { ImportDto, ReconcileDto } from '@rahatback/contracts';
import type { Actor } from '../../platform/http/actor.js';
import { CurrentActor, IdParam, Roles, TokenScope } from '../../platform/http/decorators.js';
import { CatalogueImport } from './import.service.js';
import { CatalogueReconcile } from './reconcile.service.js';
import { WorkspaceTrust } from './trust.service.js';

@Controller('v1')
export class CatalogueController {
  constructor(
    private readonly reconciling: CatalogueReconcile,
    private readonly importing: CatalogueImport,
    private readonly trust: WorkspaceTrust,
  ) {}

  @TokenScope('backups:run')
  @Post('storages/:id/reconcile')
  @HttpCode(200)
  reconcile(@CurrentActor() actor: Actor, @IdParam() storageId: string, @Body() dto: ReconcileDto): Promise<ReconcileAnswer> {
    return this.reconciling.run({ workspaceId: actor.workspaceId, storageId, actor, deep: dto.deep === true });
  }

  @Roles('owner')
  @Post('storages/:id/import')
  @HttpCode(200)
  import(@CurrentActor() actor: Actor, @IdParam() storageId: string, @Body() dto: ImportDto): Promise<ImportAnswer> {
    return this.importing.run(actor, storageId, dto);
  }

  @Get('workspace/trust')
  readTrust(@CurrentActor() actor: Actor): Promise<TrustAnswer> {
    return this.trust.read(actor);
  }
}
