import type {
  CommandEnvelope,
  CommandReceipt,
  CommandState,
  CommandType,
  ErrorBody,
  Result,
  SignedCommand,
} from '@rahatback/contracts';
import { AppError, errorFromBody, failed, ok } from '@rahatback/contracts';
import { agentCrashPoint } from '../crash-points.js';
import { asAppError, errorBodyOf } from '../errors.js';
import type { CommandJournal } from '../journal/command-journal.js';
import type { CommandEntry } from '../journal/journal-state.js';
import type { AgentLog } from '../log.js';
import type { AgentHome } from '../state/agent-home.js';
import { isObject } from '../state/json-shape.js';
import { checkExpiry, checkFence, checkPolicy } from './admission.js';
import type { CommandRunner } from './command-runner.js';
import { isCommandOf } from './envelope-shape.js';
import { openCommand, type CommandTrust } from './open-command.js';

export interface IntakeOptions {
  readonly home: AgentHome;
  readonly journal: CommandJournal;
  readonly runner: CommandRunner;
  readonly trust: CommandTrust;
  /** The server's time now, in milliseconds since 1970. */
  readonly serverNowMs: () => number;
  readonly log: AgentLog;
  /** Called when a refusal is in the journal, to be sent. */
  readonly onEnded: (commandId: string) => void;
}

type Reply = (receipt: Result<CommandReceipt>) => void;

const receipt = (commandId: string, state: CommandState): Result<CommandReceipt> => ok({ commandId, state });

/** A refusal is answered with its reason, each time; everything else with its state. */
const recordedReceipt = (entry: CommandEntry): Result<CommandReceipt> =>
  entry.state === 'refused' ? failed(refusalOf(entry)) : receipt(entry.id, entry.state);

const refusalOf = ({ result }: CommandEntry): ErrorBody => {
  const error = result?.message.error;
  if (isObject(error)) return errorFromBody(error).toBody();
  return { code: 'COMMAND_REFUSED', message: 'The agent refused this command before. Its log says why.' };
};

const cancelled = (): AppError => new AppError('CANCELLED', 'A person cancelled it.');

const targetOf = (command: CommandEnvelope): string | null =>
  isCommandOf(command, 'job:cancel') || isCommandOf(command, 'restore:cancel') || isCommandOf(command, 'verification:cancel')
    ? command.payload.targetCommandId
    : null;

/**
 * The only way for a command into this agent. Whatever comes in, and however often: a genuine command is journalled before it is acknowledged,
 * runs once, and is answered with its recorded state ever after.
 */
export class CommandIntake {
  /** Ids whose admission is under way: duplicates that come meanwhile wait for the same answer. */
  readonly #admitting = new Map<string, Promise<Result<CommandReceipt>>>();

  constructor(private readonly options: IntakeOptions) {}

  /** Answers through `reply`, exactly once, and starts the work after that. Never throws. */
  async receive(type: CommandType, frame: SignedCommand, reply: Reply): Promise<void> {
    let command: CommandEnvelope;
    try {
      command = openCommand(type, frame, this.options.trust);
    } catch (error) {
      this.options.log.warn({ type, error: errorBodyOf(error) }, 'Refused a command that is not genuine');
      reply(failed(errorBodyOf(error)));
      return;
    }
    const recorded = this.options.journal.get(command.commandId);
    if (recorded !== undefined) {
      reply(recordedReceipt(recorded));
      return;
    }
    const underWay = this.#admitting.get(command.commandId);
    if (underWay !== undefined) {
      reply(await underWay);
      return;
    }
    const admitting = this.#admit(command, frame).catch((error: unknown) => this.#unrecorded(command, error));
    this.#admitting.set(command.commandId, admitting);
    const answer = await admitting;
    this.#admitting.delete(command.commandId);
    if (answer.ok && answer.value.state === 'accepted') agentCrashPoint('agent.cmd.received');
    reply(answer);
    if (answer.ok && answer.value.state === 'accepted') {
      agentCrashPoint('agent.cmd.acked');
      // A cancel may have overtaken it while it went to the disk.
      this.options.runner.submit(command, this.options.journal.isCancelled(command.commandId) ? cancelled() : undefined);
    }
  }

  /**
   * Starts what an earlier run of the agent accepted and did not begin, or had begun and may do again. The frame in the journal must still be
   * genuine. In time and allowed by the policy it need only be if it was not begun: what a swap did before must be found out and told.
   * Call it once the server has said which commands it still wants.
   */
  async resume(entry: CommandEntry): Promise<void> {
    const { trust, serverNowMs, home, log, runner } = this.options;
    try {
      if (entry.command === null) throw new AppError('AGENT_RESTARTED', 'The agent restarted and no longer has the command.');
      const command = openCommand(entry.type, entry.command, trust);
      if (this.options.journal.isCancelled(entry.id)) throw cancelled();
      if (entry.state === 'accepted') {
        checkExpiry(command, serverNowMs());
        await checkPolicy(command, home, log);
      }
      runner.submit(command);
    } catch (error) {
      await this.#refuse(entry, error);
    }
  }

  async #admit(command: CommandEnvelope, frame: SignedCommand): Promise<Result<CommandReceipt>> {
    const { journal, home, log, serverNowMs } = this.options;
    let refusal: unknown;
    try {
      checkExpiry(command, serverNowMs());
      await checkPolicy(command, home, log);
      if (journal.isCancelled(command.commandId)) throw cancelled();
      // Nothing may wait between this check and the record, or two of one resource could pass it together.
      checkFence(command, journal);
    } catch (error) {
      refusal = error;
    }
    const target = targetOf(command);
    const { commandId: id, type, resource, fence, sequence, expiresAt } = command;
    const isRefused = refusal !== undefined;
    const recorded = journal.received({
      kind: 'received',
      id,
      type,
      resource,
      fence,
      sequence,
      expiresAt,
      command: isRefused || target !== null ? null : { body: frame.body, signature: frame.signature, keyId: frame.keyId },
      target: isRefused ? null : target,
    });
    if (isRefused) return this.#refuse(await recorded, refusal);
    const entry = await recorded;
    return target === null ? receipt(id, 'accepted') : this.#cancel(entry, target);
  }

  async #cancel(entry: CommandEntry, target: string): Promise<Result<CommandReceipt>> {
    const wasActive = this.options.runner.stop(target, cancelled());
    this.options.log.info({ commandId: entry.id, target, wasActive }, 'Cancel');
    await Promise.all([this.options.journal.ended(entry.id, 'succeeded', null), this.options.journal.confirmed(entry.id)]);
    return receipt(entry.id, 'succeeded');
  }

  async #refuse(entry: Pick<CommandEntry, 'id' | 'fence' | 'type'>, error: unknown): Promise<Result<CommandReceipt>> {
    const body = errorBodyOf(error);
    this.options.log.warn({ commandId: entry.id, type: entry.type, error: body }, 'Refused a command');
    await this.options.journal.ended(entry.id, 'refused', {
      event: 'command:refused',
      message: { commandId: entry.id, fence: entry.fence, error: body },
    });
    this.options.onEnded(entry.id);
    return failed(body);
  }

  /** The journal could not take it: nothing was promised, and the server will send it again. */
  #unrecorded(command: CommandEnvelope, error: unknown): Result<CommandReceipt> {
    this.options.log.error({ err: error, commandId: command.commandId }, 'A command could not be recorded');
    return failed(asAppError(error).toBody());
  }
}
