import { Injectable } from '@nestjs/common';
import type { Confirmed, StartedReport } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { CommandRow } from '../agents/index.js';
import { failureOf, fieldsOf, progressOf, reportOf, textOf, uuidOf, wordsOf } from './agent-frames.js';
import { AttemptGuard, fenced, isCurrent } from './attempt-guard.service.js';
import { addStep, keepLateWords } from './backup-attempt.repository.js';
import { BackupSettlement, type LastOrder, type Work } from './backup-settlement.service.js';
import { BackupSignals } from './backup-signals.service.js';
import { markDamaged } from './backup-judgement.repository.js';
import { saveProgress, setServerVersion } from './backup.repository.js';
import { Throttle } from './one-at-a-time.js';

const CONFIRMED: Confirmed = { confirmed: true };
const PROGRESS_EVERY_MS = 1000;
const MAX_DAMAGE = 4000;

/** What agents say of their attempts. A report that comes twice is answered twice and counted once. */
@Injectable()
export class BackupReports {
  private readonly throttle = new Throttle(PROGRESS_EVERY_MS);

  constructor(
    private readonly database: Database,
    private readonly guard: AttemptGuard,
    private readonly settlement: BackupSettlement,
    private readonly signals: BackupSignals,
  ) {}

  async started(agent: AgentSession, message: StartedReport): Promise<Confirmed> {
    const report = reportOf(message);
    const clientTool = textOf(message.clientTool, 'clientTool', 100);
    const serverVersion = textOf(message.serverVersion, 'serverVersion', 100);
    await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const { backup, attempt } = await this.guard.current(tx, agent, report, true);
      const ref = { backupId: backup.id, fence: attempt.fence };
      await setServerVersion(tx, ref, serverVersion);
      if (attempt.steps.some((step) => step.name === 'started')) return;
      await addStep(tx, ref, { name: 'started', at: new Date().toISOString(), detail: `${clientTool}, server ${serverVersion}` });
      this.signals.changed(tx, backup, 'running');
    });
    return CONFIRMED;
  }

  /** At most one a second reaches the table and the pages; the rest may be lost without harm. */
  async progress(agent: AgentSession, message: unknown): Promise<void> {
    const report = reportOf(message);
    if (!this.throttle.lets(`${agent.agentId} ${report.commandId}`)) return;
    const progress = progressOf(message);
    await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const saved = await saveProgress(tx, { ...report, agentId: agent.agentId }, progress);
      if (saved === null) throw fenced();
      this.signals.progress(tx, { ...saved, workspaceId: agent.workspaceId }, progress);
    });
  }

  /**
   * The manifest in the storage has decided already; this only brings the steps and the log. On an agent's own disk it is this report that says that
   * the accepted manifest stands.
   */
  async completed(agent: AgentSession, message: unknown): Promise<Confirmed> {
    const report = reportOf(message);
    const backupId = uuidOf(fieldsOf(message)['backupId'], 'backupId');
    const words = wordsOf(message);
    await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const work = await this.guard.find(tx, agent, report, true);
      if (isCurrent(work)) await this.succeedOnAgent(tx, work, message);
      else if (work.attempt.state !== 'success' || work.backup.id !== backupId) throw fenced();
      await keepLateWords(tx, { backupId, fence: report.fence }, words);
      await this.markBrokenLink(tx, report.commandId, message);
    });
    return CONFIRMED;
  }

  /** The agent may speak only of links that its order gave it to read. */
  private async markBrokenLink(tx: Tx, commandId: string, message: unknown): Promise<void> {
    const broken = fieldsOf(message)['brokenLink'];
    if (broken === undefined) return;
    const backupId = uuidOf(fieldsOf(broken)['backupId'], 'brokenLink.backupId');
    const damage = textOf(fieldsOf(broken)['message'], 'brokenLink.message', MAX_DAMAGE);
    const order = await lastOrder(tx, commandId);
    if (order?.payload.base.some((link) => link.backupId === backupId) === true) await markDamaged(tx, backupId, damage);
  }

  private async succeedOnAgent(tx: Tx, work: Work, message: unknown): Promise<void> {
    const { accepted } = work.attempt;
    if (accepted === null || accepted.manifestSha256 !== fieldsOf(message)['manifestSha256'])
      throw new AppError('CONFLICT', 'The manifest of this backup is not published yet. Publish it, then report again.');
    if (!(await this.settlement.succeed(tx, work, accepted))) throw fenced();
  }

  async failed(agent: AgentSession, message: unknown): Promise<Confirmed> {
    const report = reportOf(message);
    const failure = failureOf(message);
    const words = wordsOf(message);
    await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const work = await this.guard.find(tx, agent, report, true);
      if (!isCurrent(work)) {
        if (work.attempt.state === 'success') throw fenced();
        await keepLateWords(tx, { backupId: work.backup.id, fence: report.fence }, words);
        return;
      }
      const order = await lastOrder(tx, report.commandId);
      const settled = await this.settlement.failOrRetry(tx, work, { code: failure.code, message: failure.message, words }, order);
      if (!settled) {
        throw new AppError(
          'UNAVAILABLE',
          'The manifest of this backup is being published: how it ends is decided in a moment. Report again.',
        );
      }
    });
    return CONFIRMED;
  }
}

const lastOrder = async (tx: Tx, commandId: string): Promise<LastOrder | null> => {
  const command = await tx.findOneBy(CommandRow, { id: commandId });
  return command === null ? null : { payload: command.payload as LastOrder['payload'], sealed: command.sealed };
};
