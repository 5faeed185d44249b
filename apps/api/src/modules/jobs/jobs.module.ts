import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AgentsModule } from '../agents/index.js';
import { DatabasesModule } from '../databases/index.js';
import { StoragesModule } from '../storages/index.js';
import { JobDirectory } from './job-directory.js';
import { JobRow } from './job.entity.js';

@Module({
  imports: [AgentsModule, DatabasesModule, StoragesModule, TypeOrmModule.forFeature([JobRow])],
  providers: [JobDirectory],
  exports: [JobDirectory],
})
export class JobsModule {}
