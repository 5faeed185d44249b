import { Injectable } from '@nestjs/common';
import type { CommandState, CommandType, HeartbeatAnswer } from '@rahatback/contracts';
import { AppError, TERMINAL_COMMAND_STATES } from '@rahatback/contracts';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database, type Tx } from '../../platform/database/database.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { LiveEvents } from '../../platform/realtime/live-events.js';
import { AgentRow } from './agent.entity.js';
import { DatabaseClock } from './database-clock.js';
import { countOf, fieldsOf, listOf, textOf, uuidOf } from './frame-fields.js';
import { LeaseService } from './lease.service.js';

/** Work that stands under a lease; the others are short, or end what stands under one. */
const LEASED: readonly CommandType[] = ['job:execute', 'restore:execute'];

interface Running {
  readonly commandId: string;
  readonly resource: string;
  readonly fence: number;
}

interface Known {
  readonly id: string;
  readonly type: CommandType;
  readonly state: CommandState;
}

/** An agent's sign of life: keeps it online and its leases alive, and tells it what to stop. */
@Injectable()
export class AgentHeartbeat {
  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly leases: LeaseService,
    private readonly live: LiveEvents,
    private readonly clock: DatabaseClock,
  ) {}

  /** @throws AppError FENCED, AGENT_REVOKED, AGENT_QUARANTINED when this session is not the agent's any more */
  beat(session: AgentSession, message: unknown): Promise<HeartbeatAnswer> {
    const running = parseRunning(message);
    return this.database.inWorkspace(session.workspaceId, async (tx) => {
      // Leases before the agent's row: the order in which starting work locks them.
      const stale = await this.leases.renew(tx, session.agentId, running, this.config.leaseMs);
      await this.touch(tx, session);
      const known = await noteRunning(tx, session, running);
      const withoutLease = new Set(stale.map(({ commandId }) => commandId));
      const stop = running.filter(({ commandId }) => isUnwanted(known.get(commandId), withoutLease.has(commandId)));
      const now = await this.clock.read(tx);
      return { serverTime: now.toISOString(), stop: stop.map(({ commandId }) => commandId) };
    });
  }

  /** A session that the watchdog took for dead and that speaks again is alive again, unless another has taken its place. */
  private async touch(tx: Tx, { agentId, workspaceId, socketId }: AgentSession): Promise<void> {
    const rows = await tx.query<{ wasOnline: boolean }[]>(
      `WITH before AS (SELECT id, session_id FROM agents WHERE id = $1 FOR UPDATE),
            beat AS (UPDATE agents SET last_seen_at = clock_timestamp(), session_id = $2
                     WHERE id = $1 AND state = 'active' AND (session_id = $2 OR session_id IS NULL) RETURNING id)
       SELECT before.session_id IS NOT NULL AS "wasOnline" FROM before JOIN beat USING (id)`,
      [agentId, socketId],
    );
    const row = rows[0];
    if (!row) throw await this.reasonOut(tx, agentId);
    if (row.wasOnline) return;
    this.database.afterCommit(tx, () => this.live.toWorkspace(workspaceId, 'agent:status', { agentId, status: 'online' }));
  }

  private async reasonOut(tx: Tx, agentId: string): Promise<AppError> {
    const agent = await tx.findOneBy(AgentRow, { id: agentId });
    if (agent?.state === 'quarantined') return new AppError('AGENT_QUARANTINED', 'This agent is in quarantine. See the console.');
    if (agent?.state === 'active') return new AppError('FENCED', 'A newer session of this agent has begun, so this one ends.');
    return new AppError('AGENT_REVOKED', 'This agent was revoked. Enrol it again with a new code if it is still needed.');
  }
}

/** Marks what the agent says it is doing, and reads what we know of it. */
async function noteRunning(tx: Tx, session: AgentSession, running: readonly Running[]): Promise<Map<string, Known>> {
  if (running.length === 0) return new Map();
  const parameters = [session.agentId, running.map(({ commandId }) => commandId)];
  await tx.query(
    `UPDATE commands SET state = 'running', accepted_at = coalesce(accepted_at, clock_timestamp())
     WHERE agent_id = $1 AND id = ANY($2::uuid[]) AND state IN ('queued','sent','accepted')`,
    parameters,
  );
  const rows = await tx.query<Known[]>(
    `SELECT id, type, state FROM commands WHERE agent_id = $1 AND id = ANY($2::uuid[])`,
    parameters,
  );
  return new Map(rows.map((row) => [row.id, row]));
}

function isUnwanted(command: Known | undefined, hasNoLease: boolean): boolean {
  if (!command || TERMINAL_COMMAND_STATES.includes(command.state)) return true;
  return hasNoLease && LEASED.includes(command.type);
}

const parseRunning = (message: unknown): Running[] =>
  listOf(fieldsOf(message)['running'] ?? [], 'running').map((item) => ({
    commandId: uuidOf(item, 'commandId'),
    resource: textOf(item, 'resource', 500),
    fence: countOf(item, 'fence'),
  }));
