import { Injectable } from '@nestjs/common';
import type { CommandState, CommandType, Heartbeat, HeartbeatAnswer } from '@rahatback/contracts';
import { TERMINAL_COMMAND_STATES } from '@rahatback/contracts';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database, type Tx } from '../../platform/database/database.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { AgentSessions } from './agent-sessions.js';
import { DatabaseClock } from './database-clock.js';
import { LeaseService } from './lease.service.js';

/** Work that stands under a lease; the others are short, or end what stands under one. */
const LEASED: readonly CommandType[] = ['job:execute', 'restore:execute', 'verification:execute'];

type Running = Heartbeat['running'][number];

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
    private readonly sessions: AgentSessions,
    private readonly clock: DatabaseClock,
  ) {}

  /** @throws AppError FENCED, AGENT_REVOKED, AGENT_QUARANTINED when this session is not the agent's any more */
  beat(session: AgentSession, message: Heartbeat): Promise<HeartbeatAnswer> {
    const running = message.running.map((item) => ({ ...item, commandId: item.commandId.toLowerCase() }));
    return this.database.inWorkspace(session.workspaceId, async (tx) => {
      // Leases, commands, then the agent's row: the order in which starting and ending work locks them.
      const stale = await this.leases.renew(tx, session.agentId, running, this.config.leaseMs);
      const known = await noteRunning(tx, session, running);
      await this.sessions.touch(tx, session);
      const withoutLease = new Set(stale.map(({ commandId }) => commandId));
      const stop = running.filter(({ commandId }) => isUnwanted(known.get(commandId), withoutLease.has(commandId)));
      const now = await this.clock.read(tx);
      return { serverTime: now.toISOString(), stop: stop.map(({ commandId }) => commandId) };
    });
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
