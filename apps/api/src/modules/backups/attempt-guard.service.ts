import { Injectable } from '@nestjs/common';
import type { ReportBase } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { findAttempt } from './backup-attempt.repository.js';
import type { Work } from './backup-settlement.service.js';
import { lockBackup, readBackup } from './backup.repository.js';

export const fenced = (): AppError =>
  new AppError(
    'FENCED',
    'This attempt no longer counts: it has ended, or another one has taken its place. Stop it and drop what it made.',
  );

export const isCurrent = ({ backup, attempt }: Work): boolean =>
  backup.status === 'running' && attempt.state === 'running' && backup.fence === attempt.fence;

/** Who may speak for an attempt: the agent that the command was given to, with the fence that it was given. */
@Injectable()
export class AttemptGuard {
  /**
   * The attempt that a report speaks of, ended or not, with its backup locked when `lock` says so.
   * @throws AppError NOT_FOUND for a command that is not this agent's, FENCED for another fence
   */
  async find(tx: Tx, agent: AgentSession, report: ReportBase, lock: boolean): Promise<Work> {
    const attempt = await findAttempt(tx, report.commandId);
    const backup =
      attempt === null
        ? null
        : await (lock ? lockBackup(tx, agent.workspaceId, attempt.backupId) : readBackup(tx, attempt.backupId));
    if (attempt === null || backup === null || backup.agentId !== agent.agentId) {
      throw new AppError('NOT_FOUND', 'This agent has no such command.');
    }
    if (attempt.fence !== report.fence) throw fenced();
    if (!lock) return { backup, attempt };
    // The attempt may have ended while the lock was waited for.
    return { backup, attempt: (await findAttempt(tx, report.commandId)) ?? attempt };
  }

  /** The same work once more, locked: what others did to it meanwhile is seen. */
  async again(tx: Tx, { backup, attempt }: Work): Promise<Work> {
    const locked = await lockBackup(tx, backup.workspaceId, backup.id);
    return { backup: locked, attempt: (await findAttempt(tx, attempt.commandId)) ?? attempt };
  }

  /** As `find`, but the attempt must be the one that counts now. @throws AppError FENCED when it is not */
  async current(tx: Tx, agent: AgentSession, report: ReportBase, lock = false): Promise<Work> {
    const work = await this.find(tx, agent, report, lock);
    if (!isCurrent(work)) throw fenced();
    return work;
  }
}
