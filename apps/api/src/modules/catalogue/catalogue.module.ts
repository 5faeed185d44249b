import { Module } from '@nestjs/common';
import { StoragesModule } from '../storages/index.js';
import { CatalogueController } from './catalogue.controller.js';
import { CatalogueProcessor } from './catalogue.processor.js';
import { CatalogueImport } from './import.service.js';
import { ReconcileSweep } from './reconcile-sweep.service.js';
import { CatalogueReconcile } from './reconcile.service.js';
import { ServerStorages } from './server-storages.js';
import { WorkspaceTrust } from './trust.service.js';

@Module({
  imports: [StoragesModule],
  controllers: [CatalogueController],
  providers: [CatalogueImport, CatalogueProcessor, CatalogueReconcile, ReconcileSweep, ServerStorages, WorkspaceTrust],
})
export class CatalogueModule {}
