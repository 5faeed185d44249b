import { Injectable } from '@nestjs/common';
import type { PreflightAnswer, PreflightFinding, RestoreTargetDto, SealedSecret } from '@rahatback/contracts';
import { AppError, errorFromBody } from '@rahatback/contracts';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { newId } from '../../platform/ids.js';
import { CommandOutbox, CommandReplies, type AgentRow } from '../agents/index.js';
import { AuditTrail } from '../audit/index.js';
import { locationOf, type BackupRow } from '../backups/index.js';
import { connectionOf } from '../databases/index.js';
import { KeyHandover, type BackupKey, type KeyPlan } from './key-handover.service.js';
import { RestoreSubjects, type RestoreSubject } from './restore-subjects.service.js';
import { keyResource } from './restore.repository.js';

const LIMIT_MS = 30_000;
/** What is left of the limit is the other agent's. */
const KEY_LIMIT_MS = 12_000;

interface Reply {
  readonly findings?: readonly PreflightFinding[];
  readonly secret?: SealedSecret;
  readonly error?: { readonly code?: unknown; readonly message?: unknown };
}

const keyFinding = (severity: PreflightFinding['severity'], message: string): PreflightFinding => ({
  subject: 'key',
  severity,
  message,
});

/** What the server itself knows against a backup. */
export function backupFindings({ damage, verificationStatus, verifiedAt }: BackupRow): PreflightFinding[] {
  const findings: PreflightFinding[] = [];
  if (damage !== null) findings.push({ subject: 'backup', severity: 'warning', message: `This backup is damaged: ${damage}` });
  if (verificationStatus === 'FAILED') {
    const at = verifiedAt === null ? '' : ` at ${verifiedAt.toISOString()}`;
    const message = `The last verification of this backup failed${at}. Read why, or choose another backup.`;
    findings.push({ subject: 'backup', severity: 'warning', message });
  }
  return findings;
}

/** Whether a restore would succeed, before anything is done: asked where it counts, on the agent. */
@Injectable()
export class Preflight {
  constructor(
    private readonly database: Database,
    private readonly subjects: RestoreSubjects,
    private readonly keys: KeyHandover,
    private readonly outbox: CommandOutbox,
    private readonly replies: CommandReplies,
    private readonly audit: AuditTrail,
  ) {}

  /** Answers within 30 s. @throws AppError AGENT_OFFLINE, AGENT_TIMEOUT, and as a restore that may not be asked for */
  async run(actor: Actor, backupId: string, dto: RestoreTargetDto): Promise<PreflightAnswer> {
    const deadline = performance.now() + LIMIT_MS;
    const subject = await this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const found = await this.subjects.forStart(tx, actor.workspaceId, backupId, dto);
      await this.record(tx, actor, found);
      return found;
    });
    const own = backupFindings(subject.backup);
    const { key, finding } = await this.keyFor(actor, subject);
    if (finding.severity === 'blocker') return answer(subject, [...own, finding]);
    const commandId = await this.database.inWorkspace(actor.workspaceId, (tx) => this.send(tx, subject, key));
    const { findings = [], error } = await this.reply(commandId, deadline - performance.now());
    if (error !== undefined) throw errorFromBody(error);
    const hasKey = findings.some((found) => found.subject === 'key');
    return answer(subject, [...own, ...(hasKey ? [] : [finding]), ...findings]);
  }

  private async reply(commandId: string, limitMs: number): Promise<Reply> {
    const stored: unknown = await this.replies.waitFor(commandId, limitMs);
    return stored === null ? {} : (stored as Reply);
  }

  /** Gets the key as the restore would. That it cannot be had is a finding, not an error. */
  private async keyFor(actor: Actor, subject: RestoreSubject): Promise<{ key: BackupKey | null; finding: PreflightFinding }> {
    try {
      const plan = await this.database.inWorkspace(actor.workspaceId, (tx) => this.keys.plan(tx, subject, undefined));
      if (plan.kind !== 'handover')
        return { key: null, finding: keyFinding('ok', `The agent on ${subject.agent.deviceName} holds the key.`) };
      return await this.handOver(actor, subject, plan);
    } catch (error) {
      if (error instanceof AppError && error.kind !== 'unexpected')
        return { key: null, finding: keyFinding('blocker', error.message) };
      throw error;
    }
  }

  private async handOver(actor: Actor, subject: RestoreSubject, { maker }: KeyPlan & { readonly maker: AgentRow }) {
    const { agent: receiver, backup, links } = subject;
    const resource = keyResource(`preflight:${newId()}`);
    const handover = { resource, fence: 0, maker, receiver, backup, links };
    const commandId = await this.database.inWorkspace(actor.workspaceId, (tx) => this.keys.ask(tx, handover));
    const { secret, error } = await this.reply(commandId, KEY_LIMIT_MS);
    if (secret === undefined) throw errorFromBody(error ?? {});
    const finding = keyFinding('ok', `The agent on ${maker.deviceName} hands its key to the agent on ${receiver.deviceName}.`);
    return { key: this.keys.keyOf(maker, secret), finding };
  }

  private send(tx: Tx, subject: RestoreSubject, key: BackupKey | null): Promise<string> {
    const { backup, links, database, agent, agentPath, target, live, selection } = subject;
    return this.outbox.enqueue(tx, {
      workspaceId: backup.workspaceId,
      agentId: agent.id,
      type: 'restore:preflight',
      resource: `preflight:${agent.id}`,
      fence: 0,
      payload: {
        backup: locationOf(backup),
        links,
        agentPath,
        keyRef: key?.secret.ref ?? null,
        signedBy: key?.signedBy ?? null,
        connection: connectionOf(database),
        targetDatabase: target,
        liveDatabase: live,
        selection,
      },
      sealed: [database.password, key?.secret].filter((secret) => secret != null),
      expiresInMs: LIMIT_MS,
    });
  }

  private record(tx: Tx, actor: Actor, { backup, target, mode }: RestoreSubject): Promise<void> {
    return this.audit.record(tx, {
      workspaceId: actor.workspaceId,
      actor,
      action: 'restore.preflight',
      targetType: 'backup',
      targetId: backup.id,
      detail: { targetDatabase: target, mode },
    });
  }
}

const answer = ({ target }: RestoreSubject, findings: readonly PreflightFinding[]): PreflightAnswer => ({
  ready: findings.every(({ severity }) => severity !== 'blocker'),
  targetDatabase: target,
  findings,
});
