import type { ErrorBody, ErrorCode, Result } from '@rahatback/contracts';
import { errorFromBody } from '@rahatback/contracts';
import { agentCrashPoint } from '../crash-points.js';
import type { CommandJournal } from '../journal/command-journal.js';
import type { RecordedResult } from '../journal/journal-record.js';
import type { AgentLog } from '../log.js';

/** Sends one result and waits for its acknowledgement; rejects when the connection is away. */
export type SendResult = (result: RecordedResult) => Promise<Result<unknown>>;

export interface ResultOutboxOptions {
  readonly journal: CommandJournal;
  readonly send: SendResult;
  readonly isReady: () => boolean;
  readonly log: AgentLog;
  readonly retryMs?: number;
}

const RETRY_MS = 5_000;
/** The server refuses floods; what waits is sent as answers come. */
const MAX_ON_THE_WAY = 32;

/** The server will never take it, however often it comes: its command is fenced off, ended or gone. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'FENCED',
  'LEASE_EXPIRED',
  'TOO_LATE',
  'CANCELLED',
  'NOT_FOUND',
  'COMMAND_REFUSED',
  'WS_BAD_FRAME',
  'VALIDATION',
]);

/** Results are kept in the journal until the server has confirmed them, and sent again after every reconnection. */
export class ResultOutbox {
  readonly #sending = new Set<string>();
  #retry: NodeJS.Timeout | undefined;
  #hasMore = false;

  constructor(private readonly options: ResultOutboxOptions) {}

  /** Sends everything that is not confirmed. May run at any time; what is on its way is not sent twice at once. */
  flush(): void {
    this.#hasMore = false;
    for (const { id, result } of this.options.journal.open()) {
      if (result !== null) this.#sendSafely(id, result);
      if (this.#hasMore) return;
    }
  }

  push(commandId: string): void {
    const entry = this.options.journal.get(commandId);
    if (entry?.result != null && !entry.confirmed) this.#sendSafely(commandId, entry.result);
  }

  close(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }

  #sendSafely(commandId: string, result: RecordedResult): void {
    if (!this.options.isReady() || this.#sending.has(commandId)) return;
    if (this.#sending.size >= MAX_ON_THE_WAY) {
      this.#hasMore = true;
      return;
    }
    this.#sending.add(commandId);
    this.#send(commandId, result)
      .catch((error: unknown) => {
        this.options.log.debug({ err: error, commandId }, 'A result is not confirmed yet');
        this.#retryLater();
      })
      .finally(() => {
        this.#sending.delete(commandId);
        if (this.#hasMore && this.#sending.size < MAX_ON_THE_WAY / 2) this.flush();
      })
      .catch(() => undefined);
  }

  async #send(commandId: string, result: RecordedResult): Promise<void> {
    agentCrashPoint('agent.result.before_send');
    const answer = await this.options.send(result);
    agentCrashPoint('agent.result.after_send');
    if (!answer.ok) this.#refused(commandId, answer.error);
    await this.options.journal.confirmed(commandId);
  }

  /** Returns when the result is settled all the same; throws when it must be sent again. */
  #refused(commandId: string, body: ErrorBody): void {
    const error = errorFromBody(body);
    if (!FINAL.has(error.code)) throw error;
    this.options.log.warn({ commandId, error: body }, 'The server does not want this result any more');
  }

  #retryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.flush();
    }, this.options.retryMs ?? RETRY_MS).unref();
  }
}
