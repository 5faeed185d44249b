import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AgentsModule } from '../agents/index.js';
import { PartGate } from './part-gate.js';
import { PartsController } from './parts.controller.js';
import { PartsService } from './parts.service.js';
import { CredentialVault } from './storage-credentials.js';
import { StorageDirectory } from './storage-directory.js';
import { StorageFactory } from './storage-factory.js';
import { StorageRow } from './storage.entity.js';
import { StoragesController } from './storages.controller.js';
import { StoragesService } from './storages.service.js';

@Module({
  imports: [AgentsModule, TypeOrmModule.forFeature([StorageRow])],
  controllers: [StoragesController, PartsController],
  providers: [CredentialVault, PartGate, PartsService, StorageDirectory, StorageFactory, StoragesService],
  exports: [PartGate, StorageDirectory, StorageFactory],
})
export class StoragesModule {}
