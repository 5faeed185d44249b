import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '@rahatback/contracts';
import type { ErrorCode } from '@rahatback/contracts';

const TRANSIENT_CODES: ReadonlySet<ErrorCode> = new Set(['STORAGE_TRANSIENT', 'STORAGE_UNREACHABLE']);

export interface RetryOptions {
  /** How often the operation is tried in all, the first time included. */
  readonly attempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** 0 ≤ x < 1; for tests. */
  readonly random?: () => number;
  /** Waits; rejects when the signal aborts. For tests. */
  readonly sleep?: (delayMs: number, signal?: AbortSignal) => Promise<void>;
}

/** Storage failed in a way that the same call may survive a little later. */
export const isTransient = (error: unknown): boolean => error instanceof AppError && TRANSIENT_CODES.has(error.code);

const randomFraction = (): number => randomInt(2 ** 32) / 2 ** 32;

/** Exponential, half of it jittered: attempt 1 waits base/2…base, each next twice that, never more than the maximum. */
export function backoffDelayMs(attempt: number, options: RetryOptions): number {
  const ceilingMs = Math.min(options.maxDelayMs, options.baseDelayMs * 2 ** Math.min(attempt - 1, 30));
  return ceilingMs / 2 + ((options.random ?? randomFraction)() * ceilingMs) / 2;
}

/** Waits out the delay that follows the given failed attempt. */
export async function waitBeforeRetry(attempt: number, options: RetryOptions, signal?: AbortSignal): Promise<void> {
  const delayMs = backoffDelayMs(attempt, options);
  if (options.sleep) return options.sleep(delayMs, signal);
  await delay(delayMs, undefined, signal ? { signal } : undefined);
}

/**
 * Runs the operation until it succeeds, fails with an error that `shouldRetry` refuses, or has been tried `attempts` times; then the
 * last error is thrown as it came. The operation must be safe to run twice.
 */
export async function retrying<T>(
  options: RetryOptions,
  operation: () => Promise<T>,
  shouldRetry: (error: unknown) => boolean = isTransient,
  signal?: AbortSignal,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await operation();
    } catch (error) {
      if (attempt >= options.attempts || signal?.aborted || !shouldRetry(error)) throw error;
      await waitBeforeRetry(attempt, options, signal);
    }
  }
}
