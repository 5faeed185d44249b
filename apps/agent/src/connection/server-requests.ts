import { setTimeout as pause } from 'node:timers/promises';
import type { ErrorCode } from '@rahatback/contracts';
import { AppError, errorFromBody } from '@rahatback/contracts';
import { deferred } from '../deferred.js';
import { asAppError } from '../errors.js';
import type { RequestAnswer, RequestEvent, RequestMessage } from './request.js';
import type { ServerLink } from './server-link.js';

/** The server may answer otherwise in a moment. */
const PASSING: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'AGENT_TIMEOUT', 'RATE_LIMITED', 'STORAGE_TRANSIENT']);
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 10_000;

/**
 * Questions that outlive a broken connection: the caller simply waits (which is the back-pressure that pauses a dump), until the session stands
 * again, or `signal` says that the lease or the time is over. Every question may therefore reach the server more than once.
 */
export class ServerRequests {
  constructor(private readonly link: ServerLink) {}

  /** @throws AppError what the server answered, or the signal's reason */
  async ask<E extends RequestEvent>(event: E, message: RequestMessage<E>, signal: AbortSignal): Promise<RequestAnswer<E>> {
    for (let failures = 0; ; failures += 1) {
      await this.link.whenReady(signal);
      const answer = await this.#once(event, message, signal);
      if (answer !== undefined) return answer.value;
      const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 10));
      await pause(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }

  async #once<E extends RequestEvent>(
    event: E,
    message: RequestMessage<E>,
    signal: AbortSignal,
  ): Promise<{ value: RequestAnswer<E> } | undefined> {
    const { promise: stopped, reject } = deferred<never>();
    const stop = (): void => reject(asAppError(signal.reason));
    signal.addEventListener('abort', stop, { once: true });
    try {
      const result = await Promise.race([this.link.ask(event, message), stopped]);
      if (result.ok) return { value: result.value };
      throw errorFromBody(result.error);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof AppError && PASSING.has(error.code)) return undefined;
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
}
