import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { CommandType, Confirmed, ExportResult } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import { AgentMessageRouter } from '../../platform/realtime/agent-message-router.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { CommandDirectory, CommandOutbox } from '../agents/index.js';
import { AuditTrail } from '../audit/index.js';
import { failureOf, fieldsOf, integerOf, reportOf, sha256Of, textOf } from './agent-frames.js';
import { BackupSignals } from './backup-signals.service.js';

const CONFIRMED: Confirmed = { confirmed: true };
const MAX_PATH = 4096;

type Ended = Pick<ExportResult, 'path' | 'sizeBytes' | 'sha256' | 'error'>;

/** What agents say of files on their own disks. Always confirmed: an answer that comes twice, or too late, changes nothing. */
@Injectable()
export class AgentFileEvents implements OnModuleInit {
  constructor(
    private readonly router: AgentMessageRouter,
    private readonly database: Database,
    private readonly commands: CommandDirectory,
    private readonly outbox: CommandOutbox,
    private readonly audit: AuditTrail,
    private readonly signals: BackupSignals,
  ) {}

  onModuleInit(): void {
    this.router.on('backup:delete:result', (agent, message) => this.removed(agent, message));
    this.router.on('backup:export:result', (agent, message) => this.exported(agent, message));
  }

  private removed(agent: AgentSession, message: unknown): Promise<Confirmed> {
    return this.end(agent, message, { type: 'backup:delete', result: errorIn(message) }, (tx) => {
      this.signals.deleteNeeded(tx);
      this.signals.cleanupNeeded(tx);
    });
  }

  private exported(agent: AgentSession, message: unknown): Promise<Confirmed> {
    const failure = errorIn(message);
    const result = failure.error === undefined ? writtenFile(message) : failure;
    return this.end(agent, message, { type: 'backup:export', result });
  }

  private async end(
    agent: AgentSession,
    message: unknown,
    { type, result }: { readonly type: CommandType; readonly result: Ended },
    wake: (tx: Tx) => void = () => undefined,
  ): Promise<Confirmed> {
    const report = reportOf(message);
    await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const command = await this.commands.reported(tx, agent, report, type);
      const isFailed = result.error !== undefined;
      if (command === null || !(await this.outbox.markEnded(tx, command.id, isFailed ? 'failed' : 'succeeded', result))) return;
      await this.audit.record(tx, {
        workspaceId: agent.workspaceId,
        actor: { agentId: agent.agentId },
        action: type === 'backup:delete' ? 'backup.files_removed' : 'backup.exported',
        targetType: 'command',
        targetId: command.id,
        outcome: isFailed ? 'failure' : 'success',
        detail: { resource: command.resource, ...(result.error === undefined ? {} : { code: result.error.code }) },
      });
      wake(tx);
    });
    return CONFIRMED;
  }
}

const errorIn = (message: unknown): Pick<Ended, 'error'> =>
  fieldsOf(message)['error'] === undefined ? {} : { error: failureOf(message).toBody() };

function writtenFile(message: unknown): Ended {
  const fields = fieldsOf(message);
  return {
    path: textOf(fields['path'], 'path', MAX_PATH),
    sizeBytes: integerOf(fields['sizeBytes'], 'sizeBytes', 0),
    sha256: sha256Of(fields['sha256'], 'sha256'),
  };
}
