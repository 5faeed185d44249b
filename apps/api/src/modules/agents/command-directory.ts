import { Injectable } from '@nestjs/common';
import type { CommandType, ReportBase } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { CommandRow } from './command.entity.js';

/** Finds the command that an agent's report speaks of. */
@Injectable()
export class CommandDirectory {
  /**
   * By id, agent, type and fence: a report is never matched to anything else.
   * @returns null for a command that is not this agent's, not of this type, or of another attempt
   */
  async reported(tx: Tx, session: AgentSession, report: ReportBase, type?: CommandType): Promise<CommandRow | null> {
    const ref = { id: report.commandId, agentId: session.agentId, fence: report.fence };
    return tx.findOneBy(CommandRow, type === undefined ? ref : { ...ref, type });
  }
}
