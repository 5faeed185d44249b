import { Injectable } from '@nestjs/common';
import type { RunAnswer } from '@rahatback/contracts';
import { isUniqueViolation } from '../../platform/database/database-errors.js';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { newId } from '../../platform/ids.js';
import { AgentDirectory } from '../agents/index.js';
import { alreadyRunning, BackupStarter } from './backup-starter.service.js';
import { BackupSubjects } from './backup-subjects.service.js';

/** Starts a backup: row, attempt, lease, command and audit in one transaction, so that there is all of it or nothing. */
@Injectable()
export class BackupRunService {
  constructor(
    private readonly database: Database,
    private readonly subjects: BackupSubjects,
    private readonly agents: AgentDirectory,
    private readonly start: BackupStarter,
  ) {}

  /** However many ask at once, one backup starts; the others get ALREADY_RUNNING. */
  async run(actor: Actor, jobId: string): Promise<RunAnswer> {
    try {
      return await this.database.inWorkspace(actor.workspaceId, (tx) => this.runIn(tx, actor, jobId));
    } catch (error) {
      // A row whose lease has just run out, before the watchdog has seen it.
      if (isUniqueViolation(error, 'backups_one_running')) throw alreadyRunning();
      throw error;
    }
  }

  private async runIn(tx: Tx, actor: Actor, jobId: string): Promise<RunAnswer> {
    const subject = await this.subjects.forRun(tx, actor.workspaceId, jobId);
    const backupId = newId();
    const fence = await this.start.claim(tx, subject, backupId);
    const agent = await this.agents.get(tx, actor.workspaceId, subject.database.agentId);
    const start = { actor, subject, backupId, fence };
    return this.agents.isOnline(agent) ? this.start.begin(tx, start, agent) : this.start.skip(tx, start, agent);
  }
}
