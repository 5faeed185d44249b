import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AgentsModule } from '../agents/index.js';
import { DatabasesModule } from '../databases/index.js';
import { StoragesModule } from '../storages/index.js';
import { BackupKeys } from './backup-keys.service.js';
import { KeyHandover } from './key-handover.service.js';
import { KeyReports } from './key-reports.service.js';
import { Preflight } from './preflight.service.js';
import { ReportedCommands } from './reported-commands.js';
import { RestoreCommands } from './restore-commands.service.js';
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
import { ShortReports } from './short-reports.service.js';
import { SwapCommands } from './swap-commands.service.js';
import { SwapEvents } from './swap.events.js';
import { SwapSettlement } from './swap-settlement.service.js';
import { SwapSweep } from './swap-sweep.service.js';
import { Swaps } from './swaps.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([RestoreRow]), AgentsModule, StoragesModule, DatabasesModule],
  controllers: [RestoreController],
  providers: [
    BackupKeys,
    KeyHandover,
    KeyReports,
    Preflight,
    ReportedCommands,
    RestoreCommands,
    RestoreEvents,
    RestoreHistory,
    RestoreProcessor,
    RestoreReports,
    RestoreSettlement,
    RestoreStart,
    RestoreSubjects,
    RestoreWatchdog,
    ShortReports,
    SwapCommands,
    SwapEvents,
    SwapSettlement,
    SwapSweep,
    Swaps,
  ],
})
export class RestoreModule {}
