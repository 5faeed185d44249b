import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AgentDirectory } from './agent-directory.js';
import { AgentRow } from './agent.entity.js';
import { CommandOutbox } from './command-outbox.js';
import { CommandReplies } from './command-replies.js';
import { CommandResults } from './command-results.js';
import { CommandRow } from './command.entity.js';
import { EnrolCodeRow } from './enrol-code.entity.js';
import { LeaseRow } from './lease.entity.js';
import { LeaseService } from './lease.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([AgentRow, EnrolCodeRow, CommandRow, LeaseRow])],
  providers: [AgentDirectory, CommandOutbox, CommandReplies, CommandResults, LeaseService],
  exports: [AgentDirectory, CommandOutbox, CommandReplies, CommandResults, LeaseService],
})
export class AgentsModule {}
