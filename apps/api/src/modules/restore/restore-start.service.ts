import { Injectable } from '@nestjs/common';
import type { RestoreAnswer, RestoreDto } from '@rahatback/contracts';
import { isUniqueViolation } from '../../platform/database/database-errors.js';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { newId } from '../../platform/ids.js';
import { AuditTrail } from '../audit/index.js';
import { KeyHandover, type KeyPlan } from './key-handover.service.js';
import { alreadyRunning, RestoreCommands } from './restore-commands.service.js';
import { RestoreSettlement } from './restore-settlement.service.js';
import { RestoreSubjects, type RestoreSubject } from './restore-subjects.service.js';
import { checkConfirmation } from './restore-target.js';
import type { RestoreRow } from './restore.entity.js';
import { getRestore, insertRestore, keyResource } from './restore.repository.js';
import { assertNoSwapAhead } from './swap.repository.js';

export const HANDOVER_STEP = 'key hand-over';
const DRAIN_SECONDS = 30;
const UNDO_HOURS = 24;
/** The agent decides by what its machine has room for. */
const ANY_PARALLELISM = 0;

/** Starts a restore beside the live database: row, lease, command and audit in one transaction. A swap follows when it has succeeded. */
@Injectable()
export class RestoreStart {
  constructor(
    private readonly database: Database,
    private readonly subjects: RestoreSubjects,
    private readonly keys: KeyHandover,
    private readonly commands: RestoreCommands,
    private readonly audit: AuditTrail,
    private readonly settlement: RestoreSettlement,
  ) {}

  async start(actor: Actor, backupId: string, dto: RestoreDto): Promise<RestoreAnswer> {
    try {
      return await this.database.inWorkspace(actor.workspaceId, async (tx) => {
        const subject = await this.subjects.forStart(tx, actor.workspaceId, backupId, dto);
        if (subject.live !== null) await this.checkSwap(tx, subject, dto.confirmDatabase);
        const plan = await this.keys.plan(tx, subject, dto.sealedKey);
        const restore = await this.insert(tx, actor, { subject, dto });
        await this.send(tx, restore, { subject, plan });
        await this.announce(tx, actor, restore);
        return this.answer(subject, restore, plan);
      });
    } catch (error) {
      if (isUniqueViolation(error, 'restores_one_running')) throw alreadyRunning(dto.targetDatabase ?? 'this target');
      throw error;
    }
  }

  /** The database is locked already. Nothing is done before the person has typed the name, and never two towards one live database. */
  private async checkSwap(tx: Tx, { database, live }: RestoreSubject, typed: string | undefined): Promise<void> {
    checkConfirmation(typed, live ?? '');
    await assertNoSwapAhead(tx, database.id, live ?? '');
  }

  private async insert(
    tx: Tx,
    actor: Actor,
    { subject, dto }: { readonly subject: RestoreSubject; readonly dto: RestoreDto },
  ): Promise<RestoreRow> {
    const { backup, database, agent, target, timeLimitMinutes } = subject;
    const id = newId();
    const fence = await this.commands.claim(tx, subject, id);
    await insertRestore(tx, {
      id,
      workspaceId: actor.workspaceId,
      backupId: backup.id,
      databaseId: backup.databaseId,
      targetDatabaseId: database.id === backup.databaseId ? null : database.id,
      agentId: agent.id,
      commandId: newId(),
      fence,
      targetDatabase: target,
      mode: subject.mode,
      liveDatabase: subject.live,
      selection: subject.selection,
      parallelism: dto.parallelism ?? ANY_PARALLELISM,
      drainSeconds: dto.drainSeconds ?? DRAIN_SECONDS,
      undoHours: dto.undoHours ?? UNDO_HOURS,
      status: 'running',
      requestedBy: actor.userId,
      startedAt: () => 'clock_timestamp()',
      deadlineAt: () => `clock_timestamp() + interval '${timeLimitMinutes} minutes'`,
    });
    return getRestore(tx, actor.workspaceId, id);
  }

  private async send(
    tx: Tx,
    restore: RestoreRow,
    { subject, plan }: { readonly subject: RestoreSubject; readonly plan: KeyPlan },
  ): Promise<void> {
    if (plan.kind !== 'handover') return this.commands.send(tx, restore, plan.kind === 'own' ? null : plan.key);
    const { backup, links, agent: receiver } = subject;
    const handover = { resource: keyResource(restore.id), fence: restore.fence, maker: plan.maker, receiver, backup, links };
    await this.keys.ask(tx, handover);
    const detail = `The agent on ${plan.maker.deviceName} is asked to hand its key to the agent on ${receiver.deviceName}.`;
    await this.settlement.note(tx, restore, HANDOVER_STEP, detail);
  }

  private async announce(tx: Tx, actor: Actor, restore: RestoreRow): Promise<void> {
    const { id, backupId, workspaceId, targetDatabase, mode } = restore;
    await this.audit.record(tx, {
      workspaceId,
      actor,
      action: 'restore.started',
      targetType: 'restore',
      targetId: id,
      detail: { backupId, targetDatabase, mode, agentId: restore.agentId },
    });
    this.settlement.announce(tx, { id, backupId, workspaceId }, 'running');
  }

  private answer({ agent, target, live }: RestoreSubject, restore: RestoreRow, plan: KeyPlan): RestoreAnswer {
    const then = live === null ? '' : ` It takes the place of "${live}" once every table is proved equal.`;
    const message =
      plan.kind === 'handover'
        ? `The agent on ${plan.maker.deviceName} is asked for the key; then the restore into "${target}" goes to the agent on ${agent.deviceName}.`
        : `The restore into "${target}" was handed to the agent on ${agent.deviceName}.`;
    return { success: true, status: 'sent_to_agent', message: message + then, restoreHistoryId: restore.id };
  }
}
