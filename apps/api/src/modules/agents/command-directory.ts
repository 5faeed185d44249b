import { Injectable } from '@nestjs/common';
import type { CommandType } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { CommandRow } from './command.entity.js';
import { countOf, fieldsOf, uuidOf } from './frame-fields.js';

/** Finds the command that an agent's report speaks of. */
@Injectable()
export class CommandDirectory {
  /**
   * By id, agent, type and fence: a report is never matched to anything else.
   * @returns null for a command that is not this agent's, not of this type, or of another attempt
   * @throws AppError WS_BAD_FRAME when `report` has no command id or fence
   */
  async reported(tx: Tx, session: AgentSession, report: unknown, type?: CommandType): Promise<CommandRow | null> {
    const fields = fieldsOf(report);
    const ref = { id: uuidOf(fields, 'commandId'), agentId: session.agentId, fence: countOf(fields, 'fence') };
    return tx.findOneBy(CommandRow, type === undefined ? ref : { ...ref, type });
  }
}
