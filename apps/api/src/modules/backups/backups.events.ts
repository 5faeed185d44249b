import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database, type Tx } from '../../platform/database/database.js';
import { JobQueue } from '../../platform/queues/job-queue.js';
import { QUEUES } from '../../platform/queues/queues.js';
import { AgentMessageRouter } from '../../platform/realtime/agent-message-router.js';
import { CommandResults, type CommandOutcome, type CommandRow } from '../agents/index.js';
import { PartGate, type PartAttempt } from '../storages/index.js';
import { findAttempt } from './backup-attempt.repository.js';
import { originOf } from './backup-chain.js';
import { BackupDownloads } from './backup-downloads.service.js';
import { BackupPublication } from './backup-publication.service.js';
import { BackupReports } from './backup-reports.service.js';
import { BackupSettlement, type LastOrder } from './backup-settlement.service.js';
import { CLEANUP_JOB, DELETE_JOB, WATCHDOG_JOB } from './backup-signals.service.js';
import { BackupUploads } from './backup-uploads.service.js';
import { lockBackupOrFail, readBackup } from './backup.repository.js';

/** What agents ask and say about backups. */
@Injectable()
export class BackupAgentEvents implements OnModuleInit {
  constructor(
    private readonly router: AgentMessageRouter,
    private readonly reports: BackupReports,
    private readonly uploads: BackupUploads,
    private readonly publication: BackupPublication,
    private readonly downloads: BackupDownloads,
  ) {}

  onModuleInit(): void {
    this.router.on('backup:started', (agent, message) => this.reports.started(agent, message));
    this.router.on('backup:progress', (agent, message) => this.reports.progress(agent, message));
    this.router.on('backup:completed', (agent, message) => this.reports.completed(agent, message));
    this.router.on('backup:failed', (agent, message) => this.reports.failed(agent, message));
    this.router.on('upload:begin', (agent, message) => this.uploads.begin(agent, message));
    this.router.on('upload:part', (agent, message) => this.uploads.part(agent, message));
    this.router.on('upload:complete', (agent, message) => this.uploads.complete(agent, message));
    this.router.on('upload:abort', (agent, message) => this.uploads.abort(agent, message));
    this.router.on('upload:publish', (agent, message) => this.publication.publish(agent, message));
    this.router.on('download:open', (agent, message) => this.downloads.open(agent, message));
  }
}

/** What the machines around tell or ask: commands that ended unexecuted, tickets for parts, and the clock. */
@Injectable()
export class BackupMachineEvents implements OnModuleInit {
  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly queue: JobQueue,
    private readonly results: CommandResults,
    private readonly gate: PartGate,
    private readonly settlement: BackupSettlement,
  ) {}

  onModuleInit(): void {
    this.results.onResult('job:execute', (tx, command, outcome) => this.commandEnded(tx, command, outcome));
    this.gate.register((attempt) => this.isPartOpen(attempt));
    this.queue.sweep(QUEUES.backups, WATCHDOG_JOB, this.config.watchdogIntervalMs);
    this.queue.sweep(QUEUES.backups, CLEANUP_JOB, this.config.watchdogIntervalMs);
    this.queue.sweep(QUEUES.backups, DELETE_JOB, this.config.watchdogIntervalMs);
  }

  private async commandEnded(tx: Tx, command: CommandRow, outcome: CommandOutcome): Promise<void> {
    const found = await findAttempt(tx, command.id);
    if (found === null) return;
    const backup = await lockBackupOrFail(tx, found.backupId);
    if (backup === null) return;
    const attempt = (await findAttempt(tx, command.id)) ?? found;
    const { code, message } = outcome.message.error;
    const order: LastOrder = { payload: command.payload as LastOrder['payload'], sealed: command.sealed };
    await this.settlement.failOrRetry(tx, { backup, attempt }, { code, message }, outcome.state === 'failed' ? order : null);
  }

  /** A ticket lives as long as its attempt, or, for reading, its backup. */
  private isPartOpen({ method, ownerId, workspaceId, databaseId, backupId, fence }: PartAttempt): Promise<boolean> {
    return this.database.inWorkspace(ownerId, async (tx) => {
      const backup = await readBackup(tx, backupId);
      if (backup === null || backup.fence !== fence || backup.deletedAt !== null) return false;
      const origin = originOf(backup);
      if (origin.workspaceId !== workspaceId || origin.databaseId !== databaseId) return false;
      return backup.status === (method === 'PUT' ? 'running' : 'success');
    });
  }
}
