import { AppError } from '@rahatback/contracts';
import type { ErrorCode } from '@rahatback/contracts';
import { isTransient } from '../backoff.js';
import type { RetryOptions } from '../backoff.js';

/** Rides out some five minutes of a store that is away; the agent's own lease decides beyond that. */
export const DEFAULT_AGENT_RETRY: RetryOptions = { attempts: 12, baseDelayMs: 500, maxDelayMs: 60_000 };

const SERVER_IS_AWAY: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'AGENT_TIMEOUT', 'RATE_LIMITED']);

/** The store or the server behind the control calls may answer later. A fence, a lease or a refusal is final. */
export const mayPass = (error: unknown): boolean =>
  isTransient(error) || (error instanceof AppError && SERVER_IS_AWAY.has(error.code));
