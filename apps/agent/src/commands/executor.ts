import type { CommandEnvelope, CommandState, CommandType, ReportBase } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import type { ChildProcess, RecordedResult, ResultEvent } from '../journal/journal-record.js';
import { errorBodyOf } from '../errors.js';
import type { JsonObject } from '../state/json-shape.js';

/** How a command ended and what the server is to be told. */
export interface Outcome {
  readonly state: Extract<CommandState, 'succeeded' | 'failed' | 'cancelled'>;
  readonly result: RecordedResult;
}

/** What an executor may use while it runs. */
export interface Execution<T extends CommandType = CommandType> {
  readonly command: CommandEnvelope<T>;
  /** Aborted with an AppError as reason: CANCELLED, TIME_LIMIT, FENCED, LEASE_EXPIRED, AGENT_RESTARTED. */
  readonly signal: AbortSignal;
  /** Records a child before it does harm, so that the next start can kill it. */
  recordChild(process: ChildProcess): Promise<void>;
  /** Records the finished report of a backup whose manifest stands: a crash after this still reports it as completed. */
  recordPublished(report: JsonObject): Promise<void>;
  /** To be awaited before a restored database gets its name: what to report if the agent dies right after. */
  recordPrepared(report: JsonObject): Promise<void>;
}

export type Executor<T extends CommandType = CommandType> = (execution: Execution<T>) => Promise<Outcome>;

export type ExecutedType = Exclude<CommandType, `${string}:cancel`>;
/** A command without one is refused: a newer server may know commands that this agent does not. */
export type Executors = { readonly [T in ExecutedType]?: Executor<T> };

/** The executor of a type takes just the commands of that type, which the dispatch by the type itself ensures. */
export const executorOf = (executors: Executors, type: CommandType): Executor | undefined =>
  (executors as Readonly<Partial<Record<CommandType, Executor>>>)[type];

export const reportBase = (command: CommandEnvelope): ReportBase => ({ commandId: command.commandId, fence: command.fence });

/** Long work fails with its steps and log. */
const FAILURE_EVENTS: Partial<Record<CommandType, ResultEvent>> = {
  'job:execute': 'backup:failed',
  'restore:execute': 'restore:failed',
  'verification:execute': 'verification:failed',
};

type Payload = { readonly [name: string]: unknown };

/** Short commands have one answer, in which `error` says that it failed; the rest is what their shape asks for. */
const ANSWER_EVENTS: Partial<
  Record<CommandType, { readonly event: ResultEvent; readonly empty: (payload: Payload) => Payload }>
> = {
  'database:test': { event: 'database:test:result', empty: () => ({ success: false }) },
  'restore:preflight': { event: 'restore:preflight:result', empty: () => ({ findings: [] }) },
  'restore:swap': { event: 'restore:swap:result', empty: (payload) => notSwapped(payload) },
  'restore:undo': { event: 'restore:undo:result', empty: (payload) => notSwapped(payload) },
  'restore:discard': { event: 'restore:discard:result', empty: ({ restoreId }) => ({ restoreId }) },
  'keys:rewrap': { event: 'keys:rewrap:result', empty: () => ({}) },
  'backup:delete': { event: 'backup:delete:result', empty: () => ({}) },
  'backup:export': { event: 'backup:export:result', empty: () => ({}) },
};

const notSwapped = ({ restoreId, liveDatabase, retiredDatabase }: Payload): Payload => ({
  restoreId,
  liveDatabase,
  retiredDatabase,
  drainedSessions: 0,
});

export interface FailureWords {
  readonly steps: readonly unknown[];
  readonly logTail: string;
}

/** The result of a command that did not succeed, for each type in the shape that the protocol has for it. */
export function failureResult(
  command: Pick<CommandEnvelope, 'commandId' | 'fence' | 'type'> & { readonly payload?: object },
  error: unknown,
  words: FailureWords = { steps: [], logTail: '' },
): RecordedResult {
  const base = { commandId: command.commandId, fence: command.fence, error: errorBodyOf(error) };
  const answer = ANSWER_EVENTS[command.type];
  if (answer) return { event: answer.event, message: { ...base, ...answer.empty({ ...command.payload }) } };
  const event = FAILURE_EVENTS[command.type];
  return event ? { event, message: { ...base, ...words } } : { event: 'command:refused', message: base };
}

export function failureOutcome(command: CommandEnvelope, error: unknown, words?: FailureWords): Outcome {
  const isCancelled = error instanceof AppError && error.code === 'CANCELLED';
  return { state: isCancelled ? 'cancelled' : 'failed', result: failureResult(command, error, words) };
}
