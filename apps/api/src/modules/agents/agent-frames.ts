import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AgentMessageRouter } from '../../platform/realtime/agent-message-router.js';
import { AgentHeartbeat } from './agent-heartbeat.js';
import { AgentJournal } from './agent-journal.js';
import { AgentSessions } from './agent-sessions.js';
import { CommandRefusals } from './command-refusals.js';

/** Which frames of an agent this module answers. */
@Injectable()
export class AgentFrames implements OnModuleInit {
  constructor(
    private readonly router: AgentMessageRouter,
    private readonly sessions: AgentSessions,
    private readonly journal: AgentJournal,
    private readonly heartbeat: AgentHeartbeat,
    private readonly refusals: CommandRefusals,
  ) {}

  onModuleInit(): void {
    this.router.setAuthenticator(this.sessions);
    this.router.on('agent:journal', (session, entries) => this.journal.reconcile(session, entries));
    this.router.on('heartbeat', (session, message) => this.heartbeat.beat(session, message));
    this.router.on('command:refused', (session, message) => this.refusals.take(session, message));
  }
}
