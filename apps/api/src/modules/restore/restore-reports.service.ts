import { Injectable } from '@nestjs/common';
import type { Confirmed, TableComparison } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { LiveEvents } from '../../platform/realtime/live-events.js';
import { failureOf, fieldsOf, progressOf, reportOf, Throttle, textOf, uuidOf, wordsOf } from '../backups/index.js';
import { tablesOf } from './restore-frames.js';
import { RestoreSettlement } from './restore-settlement.service.js';
import type { RestoreRow } from './restore.entity.js';
import { addRestoreStep, keepLateRestoreWords, lockRestoreOfCommand, saveRestoreProgress } from './restore.repository.js';

const CONFIRMED: Confirmed = { confirmed: true };
const PROGRESS_EVERY_MS = 1000;

const fenced = (): AppError =>
  new AppError(
    'FENCED',
    'This restore no longer counts: it has ended, or another one has taken its place. Stop it and drop what it made.',
  );

/** What agents say of restores. A report that comes twice is answered twice and counted once. */
@Injectable()
export class RestoreReports {
  private readonly throttle = new Throttle(PROGRESS_EVERY_MS);

  constructor(
    private readonly database: Database,
    private readonly settlement: RestoreSettlement,
    private readonly live: LiveEvents,
  ) {}

  async started(agent: AgentSession, message: unknown): Promise<Confirmed> {
    const fields = fieldsOf(message);
    const detail = `${textOf(fields['clientTool'], 'clientTool', 100)}, server ${textOf(fields['serverVersion'], 'serverVersion', 100)}`;
    await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const restore = await this.find(tx, agent, message);
      if (restore.status !== 'running') throw fenced();
      if (restore.steps.some((step) => step.name === 'started')) return;
      await addRestoreStep(tx, restore, { name: 'started', at: new Date().toISOString(), detail });
      this.settlement.announce(tx, restore, 'running');
    });
    return CONFIRMED;
  }

  async progress(agent: AgentSession, message: unknown): Promise<void> {
    const report = reportOf(message);
    if (!this.throttle.lets(`${agent.agentId} ${report.commandId}`)) return;
    const progress = progressOf(message);
    await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const restoreHistoryId = await saveRestoreProgress(tx, { ...report, agentId: agent.agentId }, progress);
      if (restoreHistoryId === null) throw fenced();
      this.database.afterCommit(tx, () =>
        this.live.toWorkspace(agent.workspaceId, 'restore:progress', { restoreHistoryId, ...progress }),
      );
    });
  }

  async completed(agent: AgentSession, message: unknown): Promise<Confirmed> {
    const restoreId = uuidOf(fieldsOf(message)['restoreId'], 'restoreId');
    const tables = tablesOf(message);
    const words = wordsOf(message);
    await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const restore = await this.find(tx, agent, message);
      if (restore.id !== restoreId) throw fenced();
      if (restore.status === 'success') return;
      if (restore.status !== 'running') throw fenced();
      if (await this.failIfUnequal(tx, restore, tables, words)) return;
      await this.settlement.complete(tx, restore, tables, words);
    });
    return CONFIRMED;
  }

  async failed(agent: AgentSession, message: unknown): Promise<Confirmed> {
    const failure = failureOf(message);
    const words = wordsOf(message);
    await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const restore = await this.find(tx, agent, message);
      if (restore.status === 'success') throw fenced();
      if (restore.status !== 'running') return keepLateRestoreWords(tx, restore, words);
      await this.settlement.fail(tx, restore, { code: failure.code, message: failure.message, words });
    });
    return CONFIRMED;
  }

  /** The server does not believe a success that its own numbers contradict. */
  private async failIfUnequal(
    tx: Tx,
    restore: RestoreRow,
    tables: readonly TableComparison[],
    words: ReturnType<typeof wordsOf>,
  ): Promise<boolean> {
    const unequal = tables.filter((table) => !table.equal);
    const [first] = unequal;
    if (first === undefined) return false;
    const message =
      `${unequal.length} of ${tables.length} tables differ from the backup, the first is ${first.schema}.${first.table}. ` +
      `The live database is untouched; do not use "${restore.targetDatabase}".`;
    await this.settlement.fail(tx, restore, { code: 'RESTORE_DIGEST_MISMATCH', message, words, tables });
    return true;
  }

  private async find(tx: Tx, agent: AgentSession, message: unknown): Promise<RestoreRow> {
    const report = reportOf(message);
    const restore = await lockRestoreOfCommand(tx, report.commandId, true);
    if (restore === null || restore.agentId !== agent.agentId) throw new AppError('NOT_FOUND', 'This agent has no such command.');
    if (restore.fence !== report.fence) throw fenced();
    return restore;
  }
}
