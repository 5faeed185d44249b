import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AgentsModule } from '../agents/index.js';
import { DatabaseDirectory } from './database-directory.js';
import { DatabaseRow } from './database.entity.js';

@Module({
  imports: [AgentsModule, TypeOrmModule.forFeature([DatabaseRow])],
  providers: [DatabaseDirectory],
  exports: [DatabaseDirectory],
})
export class DatabasesModule {}
