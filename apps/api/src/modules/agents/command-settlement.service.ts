import { Injectable, Logger } from '@nestjs/common';
import type { ErrorBody } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import { REVOKED } from './agent-revoked.js';
import { CommandOutbox } from './command-outbox.js';
import { CommandRow } from './command.entity.js';
import type { CommandOutcome } from './command-results.js';

const EXPIRED: ErrorBody = {
  code: 'COMMAND_EXPIRED',
  message: 'The agent did not take the command in time. See that it is online, then start again.',
};
const BATCH = 100;

interface CommandRef {
  readonly id: string;
  readonly workspace_id: string;
}

/** Ends commands that will not be carried out, each in a transaction of its own, together with the row that waits for it. */
@Injectable()
export class CommandSettlement {
  private readonly log = new Logger(CommandSettlement.name);

  constructor(
    private readonly database: Database,
    private readonly outbox: CommandOutbox,
  ) {}

  /** @returns whether this call ended it */
  settle(commandId: string, workspaceId: string, outcome: CommandOutcome): Promise<boolean> {
    return this.database.inWorkspace(workspaceId, (tx) => this.settleIn(tx, commandId, outcome));
  }

  async settleIn(tx: Tx, commandId: string, outcome: CommandOutcome): Promise<boolean> {
    const command = await tx.findOneBy(CommandRow, { id: commandId });
    return command !== null && (await this.outbox.settle(tx, command, outcome));
  }

  /** Calls off everything of an agent that must not work any more. May run twice. */
  async callOff(agentId: string, error: ErrorBody): Promise<void> {
    await this.settleAll(
      `SELECT id, workspace_id FROM commands
       WHERE agent_id = $1 AND state IN ('queued','sent','accepted','running') ORDER BY sequence`,
      [agentId],
      { state: 'cancelled', message: { error } },
    );
  }

  /**
   * Ends what nobody took in time. What a person waits for is also ended when its answer stays away; longer work has a lease for that. Then goes on
   * with what a process that died left undone after a revocation.
   */
  async sweep(): Promise<void> {
    await this.settleAll(
      `SELECT id, workspace_id FROM commands
       WHERE state IN ('queued','sent','accepted','running') AND expires_at < clock_timestamp()
         AND (state IN ('queued','sent') OR type IN ('database:test','restore:preflight','keys:rewrap'))
       ORDER BY expires_at LIMIT ${BATCH}`,
      [],
      { state: 'expired', message: { error: EXPIRED } },
    );
    await this.settleAll(
      `SELECT c.id, c.workspace_id FROM commands c JOIN agents a ON a.id = c.agent_id
       WHERE c.state IN ('queued','sent','accepted','running') AND a.state = 'revoked' LIMIT ${BATCH}`,
      [],
      { state: 'cancelled', message: { error: REVOKED } },
    );
  }

  private async settleAll(sql: string, parameters: unknown[], outcome: CommandOutcome): Promise<void> {
    const refs = await this.database.asSystem('settle commands', (tx) => tx.query<CommandRef[]>(sql, parameters));
    for (const ref of refs) {
      try {
        await this.settle(ref.id, ref.workspace_id, outcome);
      } catch (error) {
        // One that cannot be settled now must not keep the others from it.
        this.log.error({ err: error, commandId: ref.id }, 'A command could not be settled; the next sweep tries again.');
      }
    }
  }
}
