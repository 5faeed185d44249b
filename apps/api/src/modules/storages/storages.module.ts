import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { PartGate } from './part-gate.js';
import { StorageFactory } from './storage-factory.js';
import { StorageRow } from './storage.entity.js';

@Module({
  imports: [TypeOrmModule.forFeature([StorageRow])],
  providers: [StorageFactory, PartGate],
  exports: [StorageFactory, PartGate],
})
export class StoragesModule {}
