import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AgentDirectory } from './agent-directory.js';
import { AgentFrames } from './agent-frames.js';
import { AgentHeartbeat } from './agent-heartbeat.js';
import { AgentJournal } from './agent-journal.js';
import { AgentSessions } from './agent-sessions.js';
import { AgentWatchdog } from './agent-watchdog.js';
import { AgentRow } from './agent.entity.js';
import { AgentsController } from './agents.controller.js';
import { AgentsService } from './agents.service.js';
import { CommandDirectory } from './command-directory.js';
import { CommandDispatcher } from './command-dispatcher.js';
import { CommandOutbox } from './command-outbox.js';
import { CommandRefusals } from './command-refusals.js';
import { CommandReplies } from './command-replies.js';
import { CommandResults } from './command-results.js';
import { CommandSettlement } from './command-settlement.service.js';
import { CommandRow } from './command.entity.js';
import { CommandsProcessor } from './commands.processor.js';
import { DatabaseClock } from './database-clock.js';
import { EnrolCodeRow } from './enrol-code.entity.js';
import { EnrolmentService } from './enrolment.service.js';
import { LeaseRow } from './lease.entity.js';
import { LeaseService } from './lease.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([AgentRow, EnrolCodeRow, CommandRow, LeaseRow])],
  controllers: [AgentsController],
  providers: [
    AgentDirectory,
    AgentFrames,
    AgentHeartbeat,
    AgentJournal,
    AgentSessions,
    AgentsService,
    AgentWatchdog,
    CommandDirectory,
    CommandDispatcher,
    CommandOutbox,
    CommandRefusals,
    CommandReplies,
    CommandResults,
    CommandSettlement,
    CommandsProcessor,
    DatabaseClock,
    EnrolmentService,
    LeaseService,
  ],
  exports: [AgentDirectory, CommandDirectory, CommandOutbox, CommandReplies, CommandResults, DatabaseClock, LeaseService],
})
export class AgentsModule {}
