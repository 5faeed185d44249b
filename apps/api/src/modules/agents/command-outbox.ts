import { Injectable } from '@nestjs/common';
import type { CommandPayloads, CommandType, SealedSecret } from '@rahatback/contracts';
import { TERMINAL_COMMAND_STATES } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import { crashPoint } from '@rahatback/backup-core/crash-point';
import { newId } from '../../platform/ids.js';
import { JobQueue } from '../../platform/queues/job-queue.js';
import { QUEUES } from '../../platform/queues/queues.js';
import { CommandRow } from './command.entity.js';
import { CommandResults, type CommandOutcome } from './command-results.js';

/** The job that sends what waits for one agent (queue `commands`). */
export const DISPATCH_JOB = 'dispatch';
export type DispatchPayload = { readonly agentId: string };

export interface NewCommand<T extends CommandType = CommandType> {
  /** Left out: made here. */
  readonly id?: string;
  readonly workspaceId: string;
  readonly agentId: string;
  readonly type: T;
  readonly resource: string;
  readonly fence: number;
  readonly payload: CommandPayloads[T];
  readonly sealed: readonly SealedSecret[];
  /** How long the agent may take to accept it, by the database's clock. */
  readonly expiresInMs: number;
}

export type TerminalState = 'succeeded' | 'failed' | 'refused' | 'expired' | 'cancelled';

/** The one way to an agent: a row in the caller's transaction, sent after its commit, sent again until the agent has answered. */
@Injectable()
export class CommandOutbox {
  constructor(
    private readonly database: Database,
    private readonly queue: JobQueue,
    private readonly results: CommandResults,
  ) {}

  /** @returns the command's id. Its sequence follows the order of commits: the agent's row is locked until the caller's transaction ends. */
  async enqueue<T extends CommandType>(tx: Tx, command: NewCommand<T>): Promise<string> {
    const id = command.id ?? newId();
    const rows = await tx.query<unknown[]>(
      `WITH next AS (UPDATE agents SET command_sequence = command_sequence + 1 WHERE id = $3 RETURNING command_sequence)
       INSERT INTO commands (id, workspace_id, agent_id, sequence, type, resource, fence, state, payload, sealed, expires_at)
       SELECT $1, $2, $3, next.command_sequence, $4, $5, $6, 'queued', $7, $8, clock_timestamp() + $9::interval FROM next
       RETURNING id`,
      [
        id,
        command.workspaceId,
        command.agentId,
        command.type,
        command.resource,
        command.fence,
        JSON.stringify(command.payload),
        JSON.stringify(command.sealed),
        `${command.expiresInMs} milliseconds`,
      ],
    );
    if (rows.length === 0) throw new Error(`Agent ${command.agentId} does not exist in this workspace: no command was written.`);
    this.database.afterCommit(tx, async () => {
      crashPoint('api.outbox.after_commit');
      await this.nudge(command.agentId);
    });
    return id;
  }

  /** Asks a worker to send what waits for the agent. Only a hint: the sweep finds what a lost hint leaves behind. */
  async nudge(agentId: string): Promise<void> {
    const payload: DispatchPayload = { agentId };
    await this.queue.add(QUEUES.commands, DISPATCH_JOB, payload);
  }

  /**
   * Ends a command, once: a command that has ended stays as it ended.
   * @returns whether this call ended it
   */
  async markEnded(tx: Tx, commandId: string, state: TerminalState, result?: unknown): Promise<boolean> {
    const update = await tx
      .createQueryBuilder()
      .update(CommandRow)
      // A sealed secret is of no use once the command has ended.
      .set({
        state,
        endedAt: () => 'clock_timestamp()',
        sealed: [],
        ...(result === undefined ? {} : { result: result as object }),
      })
      .where('id = :commandId AND state NOT IN (:...terminal)', { commandId, terminal: TERMINAL_COMMAND_STATES })
      .execute();
    return update.affected === 1;
  }

  /**
   * Calls off a command that no agent has accepted yet.
   * @returns whether it was called off; false means that the agent may be at work and must be told with a cancel command
   */
  async cancelPending(tx: Tx, commandId: string): Promise<boolean> {
    const update = await tx
      .createQueryBuilder()
      .update(CommandRow)
      .set({ state: 'cancelled', endedAt: () => 'clock_timestamp()', sealed: [] })
      .where(`id = :commandId AND state = 'queued' AND deliveries = 0`, { commandId })
      .execute();
    return update.affected === 1;
  }

  /** Ends a command that was not carried out, and lets its module settle the row that waits for it, in the same transaction. */
  async settle(tx: Tx, command: CommandRow, outcome: CommandOutcome): Promise<boolean> {
    if (!(await this.markEnded(tx, command.id, outcome.state, outcome.message))) return false;
    command.state = outcome.state;
    command.result = outcome.message;
    await this.results.deliver(tx, command, outcome);
    return true;
  }
}
