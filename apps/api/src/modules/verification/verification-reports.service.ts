import { Injectable } from '@nestjs/common';
import type { Confirmed } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { LiveEvents } from '../../platform/realtime/live-events.js';
import type { BackupRow } from '../backups/index.js';
import {
  failureOf,
  fieldsOf,
  lockForJudgement,
  progressOf,
  reportOf,
  textOf,
  Throttle,
  uuidOf,
  wordsOf,
} from '../backups/index.js';
import { findingsOf } from './verification-frames.js';
import { damagesOf } from './verification-judgement.js';
import { readBackups, VerificationSettlement } from './verification-settlement.service.js';
import { verdictOf, type Findings } from './verification-verdict.js';
import type { VerificationRow } from './verification.entity.js';
import {
  addVerificationStep,
  findVerificationOfCommand,
  keepLateVerificationWords,
  lockVerificationOfCommand,
  saveVerificationProgress,
} from './verification.repository.js';

const CONFIRMED: Confirmed = { confirmed: true };
const PROGRESS_EVERY_MS = 1000;

const fenced = (): AppError =>
  new AppError(
    'FENCED',
    'This verification no longer counts: it has ended, or another one has taken its place. Stop it and drop what it made.',
  );

/** What agents say of verifications. A report that comes twice is answered twice and counted once. */
@Injectable()
export class VerificationReports {
  private readonly throttle = new Throttle(PROGRESS_EVERY_MS);

  constructor(
    private readonly database: Database,
    private readonly settlement: VerificationSettlement,
    private readonly live: LiveEvents,
  ) {}

  async started(agent: AgentSession, message: unknown): Promise<Confirmed> {
    const fields = fieldsOf(message);
    const tool = textOf(fields['clientTool'], 'clientTool', 100);
    const server = textOf(fields['serverVersion'], 'serverVersion', 100);
    const detail = [tool, server === '' ? '' : `server ${server}`].filter((word) => word !== '').join(', ');
    await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const verification = await this.find(tx, agent, message);
      if (verification.status !== 'PENDING') throw fenced();
      if (verification.steps.some((step) => step.name === 'started')) return;
      const step = { name: 'started', at: new Date().toISOString() };
      await addVerificationStep(tx, verification, detail === '' ? step : { ...step, detail });
      this.settlement.announce(tx, verification, 'PENDING');
    });
    return CONFIRMED;
  }

  async progress(agent: AgentSession, message: unknown): Promise<void> {
    const report = reportOf(message);
    if (!this.throttle.lets(`${agent.agentId} ${report.commandId}`)) return;
    const progress = progressOf(message);
    await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const saved = await saveVerificationProgress(tx, { ...report, agentId: agent.agentId }, progress);
      if (saved === null) throw fenced();
      const event = { verificationId: saved.id, historyId: saved.backupId, ...progress };
      this.database.afterCommit(tx, () => this.live.toWorkspace(agent.workspaceId, 'verification:progress', event));
    });
  }

  async completed(agent: AgentSession, message: unknown): Promise<Confirmed> {
    const verificationId = uuidOf(fieldsOf(message)['verificationId'], 'verificationId');
    const findings = findingsOf(message);
    const words = wordsOf(message);
    await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const backups = await this.lockBackups(tx, agent, message, findings);
      const verification = await this.find(tx, agent, message);
      if (verification.id !== verificationId) throw fenced();
      const verdict = verdictOf(findings, verification.level);
      if (verification.status === 'PENDING') {
        await this.settlement.complete(tx, verification, { findings, verdict, words }, backups);
      } else if (verification.status !== verdict.status || verification.errorCode === 'CANCELLED') throw fenced();
    });
    return CONFIRMED;
  }

  async failed(agent: AgentSession, message: unknown): Promise<Confirmed> {
    const { code, message: sentence } = failureOf(message);
    const words = wordsOf(message);
    await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const verification = await this.find(tx, agent, message);
      if (verification.status === 'PENDING') {
        await this.settlement.skip(tx, verification, { code, message: sentence, words });
      } else if (verification.status === 'SKIPPED') await keepLateVerificationWords(tx, verification, words);
      else throw fenced();
    });
    return CONFIRMED;
  }

  /** Backups are locked before the verification, and of those only what its command gave to read: an agent cannot damage others by a word. */
  private async lockBackups(tx: Tx, agent: AgentSession, message: unknown, findings: Findings): Promise<readonly BackupRow[]> {
    const { commandId } = reportOf(message);
    const verification = await findVerificationOfCommand(tx, commandId);
    if (verification?.agentId !== agent.agentId || verification.status !== 'PENDING') return [];
    const named = new Set([verification.backupId, ...damagesOf(findings.checks).map(({ backupId }) => backupId)]);
    const readable = (await readBackups(tx, commandId)).map(({ backupId }) => backupId);
    return lockForJudgement(
      tx,
      readable.filter((id) => named.has(id)),
    );
  }

  private async find(tx: Tx, agent: AgentSession, message: unknown): Promise<VerificationRow> {
    const report = reportOf(message);
    const verification = await lockVerificationOfCommand(tx, report.commandId, true);
    if (verification === null || verification.agentId !== agent.agentId) {
      throw new AppError('NOT_FOUND', 'This agent has no such command.');
    }
    if (verification.fence !== report.fence) throw fenced();
    return verification;
  }
}
