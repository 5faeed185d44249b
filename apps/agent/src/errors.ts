import { AppError, type ErrorBody } from '@rahatback/contracts';
import { isCryptoError } from '@rahatback/crypto';

/** Any failure as one that may be shown: our own as it is, a crypto error one to one, everything else as INTERNAL without its text. */
export function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (isCryptoError(error)) return new AppError(error.code, error.message, error.details, { cause: error });
  return new AppError('INTERNAL', 'The agent failed in a way that it does not know. Its log names the cause.', undefined, {
    cause: error,
  });
}

/** Longer ones are refused by the server, and nobody reads them. */
const MAX_SENTENCE = 3_000;

export function errorBodyOf(error: unknown): ErrorBody {
  const body = asAppError(error).toBody();
  return body.message.length <= MAX_SENTENCE ? body : { ...body, message: `${body.message.slice(0, MAX_SENTENCE)}…` };
}
