import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditAlarm } from './audit-alarm.js';
import { AuditChainRepository } from './audit-chain.repository.js';
import { AuditEvent } from './audit-event.entity.js';
import { AuditSweep } from './audit-sweep.service.js';
import { AuditTrail } from './audit-trail.service.js';
import { AuditVerifications } from './audit-verification.service.js';
import { AuditController } from './audit.controller.js';
import { AuditProcessor } from './audit.processor.js';

@Global()
@Module({
  imports: [TypeOrmModule.forFeature([AuditEvent])],
  controllers: [AuditController],
  providers: [AuditAlarm, AuditChainRepository, AuditProcessor, AuditSweep, AuditTrail, AuditVerifications],
  exports: [AuditTrail],
})
export class AuditModule {}
