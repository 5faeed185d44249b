import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AgentsModule } from '../agents/index.js';
import { DatabasesModule } from '../databases/index.js';
import { StoragesModule } from '../storages/index.js';
import { JobChanges } from './job-changes.service.js';
import { JobDirectory } from './job-directory.js';
import { JobMoves } from './job-moves.js';
import { JobPassphrases } from './job-passphrases.js';
import { JobStorages } from './job-storages.js';
import { JobRow } from './job.entity.js';
import { JobsController } from './jobs.controller.js';
import { JobsService } from './jobs.service.js';
import { PassphraseKeys } from './passphrase-keys.js';

@Module({
  imports: [AgentsModule, DatabasesModule, StoragesModule, TypeOrmModule.forFeature([JobRow])],
  controllers: [JobsController],
  providers: [JobChanges, JobDirectory, JobMoves, JobPassphrases, JobsService, JobStorages, PassphraseKeys],
  exports: [JobDirectory],
})
export class JobsModule {}
