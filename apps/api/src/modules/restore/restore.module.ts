import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AgentsModule } from '../agents/index.js';
import { DatabasesModule } from '../databases/index.js';
import { RestoreHistory } from './restore-history.service.js';
import { RestoreReports } from './restore-reports.service.js';
import { RestoreSettlement } from './restore-settlement.service.js';
import { RestoreStart } from './restore-start.service.js';
import { RestoreSubjects } from './restore-subjects.service.js';
import { RestoreWatchdog } from './restore-watchdog.service.js';
import { RestoreController } from './restore.controller.js';
import { RestoreRow } from './restore.entity.js';
import { RestoreEvents } from './restore.events.js';
import { RestoreProcessor } from './restore.processor.js';

@Module({
  imports: [TypeOrmModule.forFeature([RestoreRow]), AgentsModule, DatabasesModule],
  controllers: [RestoreController],
  providers: [
    RestoreEvents,
    RestoreHistory,
    RestoreProcessor,
    RestoreReports,
    RestoreSettlement,
    RestoreStart,
    RestoreSubjects,
    RestoreWatchdog,
  ],
})
export class RestoreModule {}
