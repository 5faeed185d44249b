import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { Confirmed, DatabaseTestResult } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import { AgentMessageRouter } from '../../platform/realtime/agent-message-router.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { CommandDirectory, CommandOutbox, CommandReplies, CommandResults } from '../agents/index.js';
import { keptResult } from './test-result.js';

/** Takes the answers of agents to `database:test`, in whichever process they arrive, and wakes the request that waits. */
@Injectable()
export class ConnectionTestResults implements OnModuleInit {
  constructor(
    private readonly router: AgentMessageRouter,
    private readonly results: CommandResults,
    private readonly database: Database,
    private readonly outbox: CommandOutbox,
    private readonly replies: CommandReplies,
    private readonly commands: CommandDirectory,
  ) {}

  onModuleInit(): void {
    this.router.on('database:test:result', (session, message) => this.take(session, message));
    this.results.onResult('database:test', (tx, command) => {
      this.replies.announce(tx, command.id);
      return Promise.resolve();
    });
  }

  /** Always confirmed: an answer that nobody waits for any more, or that comes twice, changes nothing. */
  private take(session: AgentSession, message: DatabaseTestResult): Promise<Confirmed> {
    const result = keptResult(message);
    return this.database.inWorkspace(session.workspaceId, async (tx) => {
      const command = await this.commands.reported(tx, session, message, 'database:test');
      if (command && (await this.outbox.markEnded(tx, command.id, result.success ? 'succeeded' : 'failed', result))) {
        this.replies.announce(tx, command.id);
      }
      return { confirmed: true };
    });
  }
}
