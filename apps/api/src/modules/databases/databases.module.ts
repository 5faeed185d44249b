import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AgentsModule } from '../agents/index.js';
import { ConnectionTestResults } from './connection-test-results.js';
import { ConnectionTests } from './connection-tests.service.js';
import { DatabaseDeletions } from './database-deletions.js';
import { DatabaseDirectory } from './database-directory.js';
import { DatabaseRow } from './database.entity.js';
import { DatabasesController } from './databases.controller.js';
import { DatabasesService } from './databases.service.js';

@Module({
  imports: [AgentsModule, TypeOrmModule.forFeature([DatabaseRow])],
  controllers: [DatabasesController],
  providers: [ConnectionTestResults, ConnectionTests, DatabaseDeletions, DatabaseDirectory, DatabasesService],
  exports: [DatabaseDeletions, DatabaseDirectory],
})
export class DatabasesModule {}
