import type { CommandEnvelope, CommandState, CommandType, ReportBase } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import type { ChildProcess, RecordedResult } from '../journal/journal-record.js';
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

export type ExecutedType = 'database:test' | 'job:execute' | 'restore:execute';
export type Executors = { readonly [T in ExecutedType]: Executor<T> };

export const reportBase = (command: CommandEnvelope): ReportBase => ({ commandId: command.commandId, fence: command.fence });

const FAILURE_EVENTS = { 'job:execute': 'backup:failed', 'restore:execute': 'restore:failed' } as const;

export interface FailureWords {
  readonly steps: readonly unknown[];
  readonly logTail: string;
}

/** The result of a command that did not succeed, for each type in the shape that the protocol has for it. */
export function failureResult(
  command: Pick<CommandEnvelope, 'commandId' | 'fence' | 'type'>,
  error: unknown,
  words: FailureWords = { steps: [], logTail: '' },
): RecordedResult {
  const base = { commandId: command.commandId, fence: command.fence, error: errorBodyOf(error) };
  if (command.type === 'database:test') return { event: 'database:test:result', message: { ...base, success: false } };
  if (command.type === 'job:execute' || command.type === 'restore:execute') {
    return { event: FAILURE_EVENTS[command.type], message: { ...base, ...words } };
  }
  return { event: 'command:refused', message: base };
}

export function failureOutcome(command: CommandEnvelope, error: unknown, words?: FailureWords): Outcome {
  const isCancelled = error instanceof AppError && error.code === 'CANCELLED';
  return { state: isCancelled ? 'cancelled' : 'failed', result: failureResult(command, error, words) };
}
