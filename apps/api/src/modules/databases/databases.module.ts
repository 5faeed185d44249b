import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AgentsModule } from '../agents/index.js';
import { ConnectionTestResults } from './connection-test-results.js';
import { ConnectionTests } from './connection-tests.service.js';
import { DatabaseDeletions } from './database-deletions.js';
import { DatabaseDirectory } from './database-directory.js';
import { DatabaseRow } from './database.entity.js';
import { DatabaseMoves } from './database-moves.js';
import { DatabaseRebind } from './database-rebind.service.js';
import { DatabasesController } from './databases.controller.js';
import { DatabasesService } from './databases.service.js';

@Module({
  imports: [AgentsModule, TypeOrmModule.forFeature([DatabaseRow])],
  controllers: [DatabasesController],
  providers: [
    ConnectionTestResults,
    ConnectionTests,
    DatabaseDeletions,
    DatabaseDirectory,
    DatabaseMoves,
    DatabaseRebind,
    DatabasesService,
  ],
  exports: [DatabaseDeletions, DatabaseDirectory, DatabaseMoves],
})
export class DatabasesModule {}
