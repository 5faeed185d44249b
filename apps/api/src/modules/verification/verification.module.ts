import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AgentsModule } from '../agents/index.js';
import { VerificationHistory } from './verification-history.service.js';
import { VerificationReports } from './verification-reports.service.js';
import { VerificationSettlement } from './verification-settlement.service.js';
import { VerificationStart } from './verification-start.service.js';
import { VerificationSubjects } from './verification-subjects.service.js';
import { VerificationWatchdog } from './verification-watchdog.service.js';
import { VerificationController } from './verification.controller.js';
import { VerificationRow } from './verification.entity.js';
import { VerificationEvents } from './verification.events.js';
import { VerificationProcessor } from './verification.processor.js';

@Module({
  imports: [TypeOrmModule.forFeature([VerificationRow]), AgentsModule],
  controllers: [VerificationController],
  providers: [
    VerificationEvents,
    VerificationHistory,
    VerificationProcessor,
    VerificationReports,
    VerificationSettlement,
    VerificationStart,
    VerificationSubjects,
    VerificationWatchdog,
  ],
})
export class VerificationModule {}
