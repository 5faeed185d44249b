import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AgentsModule } from '../agents/index.js';
import { DatabasesModule } from '../databases/index.js';
import { JobsModule } from '../jobs/index.js';
import { StoragesModule } from '../storages/index.js';
import { AgentFileEvents } from './agent-files.events.js';
import { AgentPublication } from './agent-publication.service.js';
import { AgentRemoval } from './agent-removal.service.js';
import { AttemptGuard } from './attempt-guard.service.js';
import { AttemptStorage } from './attempt-storage.service.js';
import { BackupArchiveController } from './backup-archive.controller.js';
import { BackupArchives } from './backup-archive.service.js';
import { BackupAttemptRow } from './backup-attempt.entity.js';
import { BackupCancel } from './backup-cancel.service.js';
import { BackupCleanup } from './backup-cleanup.service.js';
import { BackupDeletion } from './backup-deletion.service.js';
import { BackupDownloads } from './backup-downloads.service.js';
import { BackupExports } from './backup-exports.service.js';
import { BackupExportsController } from './backup-exports.controller.js';
import { BackupGauges } from './backup-metrics.js';
import { BackupHistory } from './backup-history.service.js';
import { BackupObjectRow } from './backup-object.entity.js';
import { BackupPublication } from './backup-publication.service.js';
import { BackupReports } from './backup-reports.service.js';
import { BackupRunService } from './backup-run.service.js';
import { BackupSettlement } from './backup-settlement.service.js';
import { BackupSignals } from './backup-signals.service.js';
import { BackupStarter } from './backup-starter.service.js';
import { BackupSubjects } from './backup-subjects.service.js';
import { BackupUploads } from './backup-uploads.service.js';
import { BackupWatchdog } from './backup-watchdog.service.js';
import { BackupRow } from './backup.entity.js';
import { BackupsController } from './backups.controller.js';
import { BackupAgentEvents, BackupMachineEvents } from './backups.events.js';
import { BackupsProcessor } from './backups.processor.js';

@Module({
  imports: [
    TypeOrmModule.forFeature([BackupRow, BackupAttemptRow, BackupObjectRow]),
    AgentsModule,
    StoragesModule,
    DatabasesModule,
    JobsModule,
  ],
  controllers: [BackupArchiveController, BackupExportsController, BackupsController],
  providers: [
    AgentFileEvents,
    AgentPublication,
    AgentRemoval,
    AttemptGuard,
    AttemptStorage,
    BackupAgentEvents,
    BackupArchives,
    BackupCancel,
    BackupCleanup,
    BackupDeletion,
    BackupDownloads,
    BackupExports,
    BackupGauges,
    BackupHistory,
    BackupMachineEvents,
    BackupPublication,
    BackupReports,
    BackupRunService,
    BackupSettlement,
    BackupSignals,
    BackupStarter,
    BackupSubjects,
    BackupUploads,
    BackupWatchdog,
    BackupsProcessor,
  ],
})
export class BackupsModule {}
