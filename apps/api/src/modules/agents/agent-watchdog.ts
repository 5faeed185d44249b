import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database } from '../../platform/database/database.js';
import { LiveEvents } from '../../platform/realtime/live-events.js';
import { DatabaseClock } from './database-clock.js';

interface Silent {
  readonly id: string;
  readonly workspace_id: string;
}

/** Finds the agents that fell silent without a goodbye: a cable that was pulled ends no connection. */
@Injectable()
export class AgentWatchdog {
  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly live: LiveEvents,
    private readonly clock: DatabaseClock,
  ) {}

  async sweep(): Promise<void> {
    await this.database.asSystem('look for silent agents', async (tx) => {
      await this.clock.read(tx);
      const silent = await tx.query<Silent[]>(
        `WITH silent AS (
           UPDATE agents SET session_id = NULL
           WHERE session_id IS NOT NULL AND last_seen_at < clock_timestamp() - $1::interval
           RETURNING id, workspace_id)
         SELECT id, workspace_id FROM silent`,
        [`${this.config.agentOfflineAfterMs} milliseconds`],
      );
      this.database.afterCommit(tx, () => {
        for (const { id, workspace_id: workspaceId } of silent) {
          this.live.toWorkspace(workspaceId, 'agent:status', { agentId: id, status: 'offline' });
        }
      });
    });
  }
}
