import { Injectable } from '@nestjs/common';
import type { CommandState, ErrorBody, JournalAnswer, JournalEntry } from '@rahatback/contracts';
import { TERMINAL_COMMAND_STATES } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { AgentSessions } from './agent-sessions.js';
import { CommandOutbox } from './command-outbox.js';
import { CommandSettlement } from './command-settlement.service.js';

const LOST: ErrorBody = {
  code: 'AGENT_RESTARTED',
  message: 'The agent came back without any memory of this work, so it cannot be finished. Start it again.',
};

interface Entry {
  readonly id: string;
  readonly state: CommandState;
}

interface Known {
  readonly id: string;
  readonly state: CommandState;
}

const isTerminal = (state: CommandState): boolean => TERMINAL_COMMAND_STATES.includes(state);

/** What agent and server each remember of the commands between them, brought together when a session begins. */
@Injectable()
export class AgentJournal {
  constructor(
    private readonly database: Database,
    private readonly sessions: AgentSessions,
    private readonly outbox: CommandOutbox,
    private readonly settlement: CommandSettlement,
  ) {}

  /** Results that we lack come by themselves: the agent sends them again until they are confirmed. May run twice. */
  async reconcile(session: AgentSession, journal: readonly JournalEntry[]): Promise<JournalAnswer> {
    const entries = journal.map(({ commandId, state }) => ({ id: commandId.toLowerCase(), state }));
    const begunAt = this.sessions.beginOf(session);
    const forget = await this.database.inWorkspace(session.workspaceId, async (tx) => {
      await this.noteAccepted(tx, session, entries);
      await requeueUnanswered(tx, session, begunAt);
      // Commands before the agent's row: the order in which a command that ends locks them.
      await this.sessions.touch(tx, session);
      await confirmGeneration(tx, session);
      return forgettable(entries, await knownOf(tx, session, entries));
    });
    await this.settleLost(session, entries, begunAt);
    await this.outbox.nudge(session.agentId);
    return { forget };
  }

  /** The receipt was lost, not the command. */
  private async noteAccepted(tx: Tx, session: AgentSession, entries: readonly Entry[]): Promise<void> {
    await tx.query(
      `UPDATE commands SET state = 'accepted', accepted_at = clock_timestamp()
       WHERE agent_id = $1 AND id = ANY($2::uuid[]) AND state IN ('queued','sent')`,
      [session.agentId, entries.map(({ id }) => id)],
    );
  }

  /** Accepted in an earlier session and now unknown to the agent: its journal is gone, or it is another machine with the same keys. */
  private async settleLost(session: AgentSession, entries: readonly Entry[], begunAt: Date | undefined): Promise<void> {
    if (!begunAt) return;
    const lost = await this.database.inWorkspace(session.workspaceId, (tx) =>
      tx.query<{ id: string }[]>(
        `SELECT id FROM commands
         WHERE agent_id = $1 AND state IN ('accepted','running') AND accepted_at < $2 AND NOT (id = ANY($3::uuid[]))`,
        [session.agentId, begunAt, entries.map(({ id }) => id)],
      ),
    );
    for (const { id } of lost) {
      await this.settlement.settle(id, session.workspaceId, { state: 'failed', message: { error: LOST } });
    }
  }
}

/** An agent keeps its new generation before it says anything else: from now on the older one is a clone's. */
const confirmGeneration = (tx: Tx, session: AgentSession): Promise<unknown> =>
  tx.query(
    `UPDATE agents SET generation_confirmed = generation_pending WHERE id = $1 AND session_id = $2 AND generation_pending = $3`,
    [session.agentId, session.socketId, session.generation],
  );

/** Sent to an earlier session without a receipt, and not in the journal: send it again at once. */
const requeueUnanswered = (tx: Tx, session: AgentSession, begunAt: Date | undefined): Promise<unknown> =>
  tx.query(`UPDATE commands SET state = 'queued', sent_at = NULL WHERE agent_id = $1 AND state = 'sent' AND sent_at < $2`, [
    session.agentId,
    begunAt ?? new Date(0),
  ]);

const knownOf = (tx: Tx, session: AgentSession, entries: readonly Entry[]): Promise<Known[]> =>
  tx.query<Known[]>(`SELECT id, state FROM commands WHERE agent_id = $1 AND id = ANY($2::uuid[])`, [
    session.agentId,
    entries.map(({ id }) => id),
  ]);

/** Ended on both sides, or ended there and unknown here. */
function forgettable(entries: readonly Entry[], known: readonly Known[]): string[] {
  const states = new Map(known.map(({ id, state }) => [id, state]));
  return entries
    .filter(({ id, state }) => {
      const ours = states.get(id);
      return isTerminal(state) && (ours === undefined || isTerminal(ours));
    })
    .map(({ id }) => id);
}
