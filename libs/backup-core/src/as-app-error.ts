import { AppError } from '@rahatback/contracts';
import { CryptoError } from '@rahatback/crypto';

/** Errors of libs/crypto have codes of ours; `object` says which stored object they are about. Any other error comes back as it is. */
export function asAppError(error: unknown, object?: string): unknown {
  if (!(error instanceof CryptoError)) return error;
  const sentence = object === undefined ? error.message : `${object}: ${error.message}`;
  return new AppError(error.code, sentence, object === undefined ? error.details : { object, ...error.details }, {
    cause: error,
  });
}

/** What to throw when a run ends by `error`: the reason of an abort first, since everything else only follows from it. */
export function endingError(error: unknown, signal: AbortSignal, what: string): AppError {
  const reason: unknown = signal.aborted ? signal.reason : asAppError(error);
  if (reason instanceof AppError) return reason;
  if (signal.aborted) return new AppError('CANCELLED', `The ${what} was cancelled.`, undefined, { cause: reason });
  const said = error instanceof Error ? error.message : String(error);
  return new AppError(
    'PIPELINE_FAILED',
    `The ${what} failed inside: ${said}. Run it again; if it fails again, report it.`,
    undefined,
    { cause: error },
  );
}
