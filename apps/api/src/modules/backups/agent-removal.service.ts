import { Injectable } from '@nestjs/common';
import type { BackupType } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { AgentDirectory, CommandOutbox } from '../agents/index.js';
import type { AgentFolder } from '../storages/index.js';
import { lastOrderOf, removalResource, type LastOrderOf } from './agent-removal.repository.js';
import type { Place } from './attempt-storage.service.js';

export interface AttemptOnAgent extends Place {
  readonly backupType: BackupType;
  readonly folder: AgentFolder;
  /** Only an order given after this counts: before it the attempt may still have been writing. */
  readonly since: Date;
  /** After so many refused orders it is left as it is; without it the agent is asked for ever. */
  readonly atMost?: number;
}

/** An agent that is away gets it when it is back. */
const EXPIRES_MS = 30 * 24 * 3_600_000;
const FIRST_REST_MS = 5_000;
const MAX_REST_MS = 3_600_000;

/** Removes attempts from the disks of agents, by command: sent until the agent has said that nothing is left. */
@Injectable()
export class AgentRemoval {
  constructor(
    private readonly agents: AgentDirectory,
    private readonly outbox: CommandOutbox,
  ) {}

  /**
   * Call it again and again: it gives the order when there is none, and after a refusal once more, later each time.
   * @returns whether the agent has said that the attempt is gone, or nothing more is to be expected: a revoked agent keeps what it has
   */
  async remove(tx: Tx, attempt: AttemptOnAgent): Promise<boolean> {
    const { workspaceId, folder, since } = attempt;
    const resource = removalResource(attempt);
    const last = await lastOrderOf(tx, 'backup:delete', resource);
    if (last?.state === 'succeeded' && last.createdAt >= since) return true;
    if (last?.isOpen === true) return false;
    if (last !== null && last.state !== 'succeeded' && last.fence >= (attempt.atMost ?? Infinity)) return true;
    if (isResting(last)) return false;
    if ((await this.agents.get(tx, workspaceId, folder.agentId)).state === 'revoked') return true;
    const { backupId, fence, databaseId, backupType } = attempt;
    await this.outbox.enqueue(tx, {
      workspaceId,
      agentId: folder.agentId,
      type: 'backup:delete',
      resource,
      fence: (last?.fence ?? 0) + 1,
      payload: { location: { backupId, fence, backupType, workspaceId, databaseId }, agentPath: folder.path },
      sealed: [],
      expiresInMs: EXPIRES_MS,
    });
    return false;
  }
}

/** After a failure, such as a policy that forbids deleting: it is asked less and less often. */
function isResting(last: LastOrderOf | null): boolean {
  if (last === null || last.state === 'succeeded' || last.endedAt === null) return false;
  return Date.now() - last.endedAt.getTime() < Math.min(MAX_REST_MS, FIRST_REST_MS * 2 ** Math.min(last.fence - 1, 20));
}
