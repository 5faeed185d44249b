import { Injectable } from '@nestjs/common';
import type { ErrorCode } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { CommandOutbox, CommandRow, LeaseService, type CommandOutcome } from '../agents/index.js';
import type { AuditActor } from '../audit/index.js';
import type { RestoreRow } from './restore.entity.js';
import { addRestoreStep, type RestoreChange } from './restore.repository.js';
import { SwapCommands, type SwapDeed } from './swap-commands.service.js';
import type { SwapEventName } from './swap-states.js';
import { lockRestoreOfSwap, moveSwap, swapResource } from './swap.repository.js';

interface End {
  readonly event: SwapEventName;
  readonly change: RestoreChange;
  readonly action: string;
  readonly actor: AuditActor;
  readonly code?: ErrorCode;
}

/** The outcome is not known: the agent may have done it, and must be asked again. */
const UNKNOWN: readonly ErrorCode[] = ['AGENT_RESTARTED', 'COMMAND_EXPIRED', 'FENCED'];

export const isUnknown = (error: { readonly code: ErrorCode }): boolean => UNKNOWN.includes(error.code);

/** The agent could not even look, so an earlier try that died after its commit is not ruled out; the next one finds out. */
const sentenceOf = ({ code, message }: AppError): string =>
  code.startsWith('DB_')
    ? `${message} If it was tried before, it may have gone through: try again, and the agent looks first.`
    : message;

const deedOf = ({ type }: Pick<CommandRow, 'type'>): SwapDeed => type.slice('restore:'.length) as SwapDeed;

/** Which of the two databases is the kept one: told by the last turn that was made. */
const lastTurn = ({ steps }: RestoreRow): string | undefined =>
  steps.filter(({ name }) => name === 'swapped' || name === 'undone').at(-1)?.name;

const failureOf = (deed: SwapDeed, restore: RestoreRow): SwapEventName => {
  if (deed !== 'discard') return `${deed}Failed`;
  return lastTurn(restore) === 'undone' ? 'keepAside' : 'keepRetired';
};

/** Every way in which a swap, an undo or a discard ends: row, lease, command, step and audit in the caller's transaction. */
@Injectable()
export class SwapSettlement {
  constructor(
    private readonly commands: SwapCommands,
    private readonly leases: LeaseService,
    private readonly outbox: CommandOutbox,
  ) {}

  /** The agent's own word. An error that says nothing about the databases leaves the row as it is; the sweep asks again. */
  async reported(tx: Tx, command: CommandRow, error: AppError | null, drainedSessions: number): Promise<void> {
    const restore = await lockRestoreOfSwap(tx, command.id, true);
    if (restore !== null && error === null) await this.done(tx, restore, command, drainedSessions);
    if (restore !== null && error !== null && !isUnknown(error)) await this.failed(tx, restore, command, error);
    const result = error === null ? { drainedSessions } : { error: error.toBody() };
    await this.outbox.markEnded(tx, command.id, error === null ? 'succeeded' : 'failed', result);
  }

  /** The command ended without a report. Only a refusal, or an agent that will never come back, says that nothing more happens. */
  async unexecuted(tx: Tx, command: CommandRow, { state, message }: CommandOutcome): Promise<void> {
    const isOver = state === 'cancelled' || (state === 'refused' && !isUnknown(message.error));
    if (!isOver) return;
    const restore = await lockRestoreOfSwap(tx, command.id, false);
    const { code, message: sentence } = message.error;
    const look = state === 'cancelled' ? ' Look at the server which database bears the name before you go on.' : '';
    if (restore !== null) await this.failed(tx, restore, command, new AppError(code, sentence + look));
  }

  private async done(tx: Tx, restore: RestoreRow, command: CommandRow, drainedSessions: number): Promise<void> {
    const deed = deedOf(command);
    const end = {
      event: `${deed}Done`,
      change: this.changeOf(deed, restore, command),
      actor: { agentId: command.agentId },
    } as const;
    const action = { swap: 'restore.swapped', undo: 'restore.undone', discard: 'restore.discarded' }[deed];
    if (!(await this.end(tx, restore, command, { ...end, action }))) return;
    const name = action.slice('restore.'.length);
    const detail = drainedSessions === 0 ? undefined : `${drainedSessions} open sessions were ended.`;
    await addRestoreStep(tx, restore, { name, at: new Date().toISOString(), ...(detail === undefined ? {} : { detail }) });
  }

  private changeOf(deed: SwapDeed, { undoHours }: RestoreRow, command: CommandRow): RestoreChange {
    if (deed === 'discard') return { retiredDatabase: null, undoUntil: null };
    const { retiredDatabase } = command.payload as { retiredDatabase: string };
    return { retiredDatabase, undoUntil: () => `clock_timestamp() + interval '${undoHours} hours'` };
  }

  private async failed(tx: Tx, restore: RestoreRow, command: CommandRow, error: AppError): Promise<void> {
    const deed = deedOf(command);
    await this.end(tx, restore, command, {
      event: failureOf(deed, restore),
      change: { errorCode: error.code, errorMessage: sentenceOf(error) },
      action: `restore.${deed}_failed`,
      actor: { agentId: command.agentId },
      code: error.code,
    });
  }

  private async end(tx: Tx, restore: RestoreRow, command: CommandRow, end: End): Promise<boolean> {
    const state = await moveSwap(tx, restore, end.event, end.change);
    if (state === null) return false;
    await this.leases.release(tx, swapResource(restore), command.fence);
    await this.commands.record(tx, restore, end);
    this.commands.announce(tx, restore, state, end.code);
    return true;
  }
}
