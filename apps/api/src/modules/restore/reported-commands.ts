import { Injectable } from '@nestjs/common';
import type { CommandType, Confirmed } from '@rahatback/contracts';
import { TERMINAL_COMMAND_STATES } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { CommandDirectory, type CommandRow } from '../agents/index.js';
import { reportOf } from '../backups/index.js';

const CONFIRMED: Confirmed = { confirmed: true };

/** Takes an agent's answer to a short command. Always confirmed: one that nobody waits for any more, or that comes twice, changes nothing. */
@Injectable()
export class ReportedCommands {
  constructor(
    private readonly database: Database,
    private readonly directory: CommandDirectory,
  ) {}

  take(
    agent: AgentSession,
    message: unknown,
    type: CommandType,
    work: (tx: Tx, command: CommandRow) => Promise<void>,
  ): Promise<Confirmed> {
    const report = reportOf(message);
    return this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const command = await this.directory.reported(tx, agent, report, type);
      if (command !== null && !TERMINAL_COMMAND_STATES.includes(command.state)) await work(tx, command);
      return CONFIRMED;
    });
  }
}
