import type { CommandEnvelope } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { asAppError } from '../errors.js';
import { deferred } from '../deferred.js';
import type { CommandJournal } from '../journal/command-journal.js';
import { isExecution, isRepeatable } from '../journal/journal-state.js';
import type { AgentLog } from '../log.js';
import { checkFence } from './admission.js';
import { executorOf, failureOutcome, type Execution, type Executors, type Outcome } from './executor.js';

export const DATABASE_TEST_LIMIT_MS = 25_000;
const LIGHT_CONCURRENCY = 8;

export interface RunnerOptions {
  readonly journal: CommandJournal;
  readonly executors: Executors;
  /** Backups and restores at once; connection tests do not count. */
  readonly concurrency: number;
  readonly log: AgentLog;
  /** Called with the id of each command whose result is in the journal. */
  readonly onEnded: (commandId: string) => void;
}

interface Work {
  readonly command: CommandEnvelope;
  readonly stop: AbortController;
  isRunning: boolean;
  readonly done: Promise<void>;
  readonly finish: () => void;
}

const newWork = (command: CommandEnvelope): Work => {
  const { promise, resolve } = deferred<undefined>();
  return { command, stop: new AbortController(), isRunning: false, done: promise, finish: () => resolve(undefined) };
};

/** Of what changes databases or files and has no limit of its own. */
const SHORT_EXECUTION_LIMIT_MS = 5 * 60_000;

const timeLimitMs = (command: CommandEnvelope): number => {
  const { payload } = command;
  if ('timeLimitMs' in payload) return payload.timeLimitMs;
  if ('drainMs' in payload) return payload.drainMs + SHORT_EXECUTION_LIMIT_MS;
  return isExecution(command.type) ? SHORT_EXECUTION_LIMIT_MS : DATABASE_TEST_LIMIT_MS;
};

const timeLimitError = (command: CommandEnvelope): AppError =>
  isExecution(command.type)
    ? new AppError('TIME_LIMIT', `The time limit of ${Math.round(timeLimitMs(command) / 60_000)} minutes is over.`)
    : new AppError('AGENT_TIMEOUT', `The database did not answer within ${DATABASE_TEST_LIMIT_MS / 1000} seconds.`);

// setTimeout fires at once for more than 2^31-1 ms.
const MAX_TIMER_MS = 2_147_483_647;

/** Runs accepted commands: at most `concurrency` backups and restores, never two on one resource, in the order in which they came. */
export class CommandRunner {
  readonly #work = new Map<string, Work>();
  #isClosed = false;

  constructor(private readonly options: RunnerOptions) {}

  /**
   * Takes a command whose `received` is in the journal. A running one on the same resource with a lower fence is stopped.
   * @param stopReason ends it before it begins
   */
  submit(command: CommandEnvelope, stopReason?: AppError): void {
    const state = this.options.journal.get(command.commandId)?.state;
    const isOpen = state === 'accepted' || (state === 'running' && isRepeatable(command.type));
    if (this.#work.has(command.commandId) || !isOpen) return;
    const older = [...this.#work.values()].filter(
      (work) => work.command.resource === command.resource && work.command.fence < command.fence,
    );
    this.#work.set(command.commandId, newWork(command));
    for (const { command: old } of older) {
      this.stop(old.commandId, new AppError('FENCED', `A newer attempt on ${command.resource} has begun.`));
    }
    if (stopReason !== undefined) this.stop(command.commandId, stopReason);
    this.#startNext();
  }

  /** Ends a queued or running command with this reason. @returns whether there was one */
  stop(commandId: string, reason: AppError): boolean {
    const work = this.#work.get(commandId);
    if (work === undefined) return false;
    work.stop.abort(reason);
    if (!work.isRunning) this.#start(work);
    return true;
  }

  stopAll(reason: AppError): void {
    for (const commandId of [...this.#work.keys()]) this.stop(commandId, reason);
  }

  /** Queued and running: all of them hold a lease that the heartbeat renews. */
  active(): CommandEnvelope[] {
    return [...this.#work.values()].map(({ command }) => command);
  }

  /** Takes nothing more, stops what runs, and resolves when all of it has ended. */
  async close(reason: AppError): Promise<void> {
    this.#isClosed = true;
    this.stopAll(reason);
    await Promise.all([...this.#work.values()].map(({ done }) => done));
  }

  #startNext(): void {
    if (this.#isClosed) return;
    for (const work of this.#work.values()) if (!work.isRunning && this.#mayStart(work)) this.#start(work);
  }

  #mayStart({ command }: Work): boolean {
    const running = [...this.#work.values()].filter(({ isRunning }) => isRunning).map((work) => work.command);
    if (!isExecution(command.type)) return running.filter(({ type }) => !isExecution(type)).length < LIGHT_CONCURRENCY;
    const executions = running.filter(({ type }) => isExecution(type));
    return executions.length < this.options.concurrency && !executions.some(({ resource }) => resource === command.resource);
  }

  #start(work: Work): void {
    work.isRunning = true;
    const { commandId } = work.command;
    const timer = setTimeout(
      () => work.stop.abort(timeLimitError(work.command)),
      Math.min(timeLimitMs(work.command), MAX_TIMER_MS),
    );
    this.#runToEnd(work)
      .catch((error: unknown) => this.options.log.error({ err: error, commandId }, 'A command could not be ended properly.'))
      .finally(() => {
        clearTimeout(timer);
        this.#work.delete(commandId);
        work.finish();
        this.options.onEnded(commandId);
        this.#startNext();
      })
      .catch((error: unknown) => this.options.log.error({ err: error, commandId }, 'A command left work behind.'));
  }

  async #runToEnd(work: Work): Promise<void> {
    const { command } = work;
    const outcome = await this.#execute(work).catch((error: unknown) => this.#failed(work, error));
    this.options.log.info(
      { commandId: command.commandId, type: command.type, state: outcome.state, error: outcome.result.message.error },
      'Command ended',
    );
    await this.options.journal.ended(command.commandId, outcome.state, outcome.result);
  }

  #failed({ command, stop }: Work, error: unknown): Outcome {
    const cause: unknown = stop.signal.aborted ? stop.signal.reason : error;
    if (asAppError(cause).code === 'INTERNAL')
      this.options.log.error({ err: cause, commandId: command.commandId }, 'Command failed');
    return failureOutcome(command, cause);
  }

  async #execute(work: Work): Promise<Outcome> {
    const { command, stop } = work;
    const { journal, executors } = this.options;
    stop.signal.throwIfAborted();
    if (command.fence < journal.fenceOf(command.resource).highest) checkFence(command, journal);
    await journal.running(command.commandId);
    const execution: Execution = {
      command,
      signal: stop.signal,
      recordChild: (process) => journal.child(command.commandId, process),
      recordPrepared: (report) => journal.prepared(command.commandId, report),
      recordPublished: (report) => journal.published(command.commandId, report),
    };
    this.options.log.info({ commandId: command.commandId, type: command.type, resource: command.resource }, 'Command started');
    const executor = executorOf(executors, command.type);
    if (executor) return executor(execution);
    throw new AppError('COMMAND_REFUSED', `This agent does not know how to run ${command.type}: upgrade it.`);
  }
}
