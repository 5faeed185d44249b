import { AppError } from '@rahatback/contracts';
import type { ErrorBody } from '@rahatback/contracts';
import { isCryptoError } from '@rahatback/crypto';

const PARSER_ERRORS: Readonly<Record<string, () => AppError>> = {
  'entity.too.large': () => new AppError('BODY_TOO_LARGE', 'The body is larger than 1 MB. Send less.'),
  'request.size.invalid': () => new AppError('VALIDATION', 'The body is shorter than Content-Length says. Send it again.'),
  'request.aborted': () => new AppError('VALIDATION', 'The request ended before its body was complete. Send it again.'),
  'entity.parse.failed': () => new AppError('VALIDATION', 'The body is not valid JSON. Check its syntax.'),
  'encoding.unsupported': () => new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the body uncompressed.'),
  'charset.unsupported': () => new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the body in UTF-8.'),
};

const fromStatus = (status: number): AppError | undefined => {
  if (status === 404) return new AppError('NOT_FOUND', 'There is nothing at this address. See /docs for what there is.');
  if (status === 405) return new AppError('NOT_FOUND', 'This address does not answer to this method. See /docs.');
  if (status === 401) return new AppError('UNAUTHENTICATED', 'Log in and send the access token.');
  if (status === 403) return new AppError('FORBIDDEN', 'Your role may not do this. Ask an owner of the workspace.');
  if (status === 413) return new AppError('BODY_TOO_LARGE', 'The body is larger than 1 MB. Send less.');
  if (status === 415) return new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send JSON with the header Content-Type: application/json.');
  if (status === 429) return new AppError('RATE_LIMITED', 'Too many requests. Wait a little and try again.');
  if (status === 503) return new AppError('UNAVAILABLE', 'The server is not ready. Try again in a few seconds.');
  return status >= 400 && status < 500 ? new AppError('VALIDATION', 'The request is not valid. See /docs.') : undefined;
};

/**
 * Turns anything thrown into an AppError. What we do not know becomes INTERNAL without a detail: the original stays as `cause` for the log
 * and never leaves the process.
 */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (isCryptoError(error)) return new AppError(error.code, error.message, error.details, { cause: error });
  const shape = (typeof error === 'object' && error !== null ? error : {}) as {
    type?: unknown;
    status?: unknown;
    getStatus?: unknown;
  };
  const parser = typeof shape.type === 'string' ? PARSER_ERRORS[shape.type] : undefined;
  if (parser) return parser();
  const status = typeof shape.getStatus === 'function' ? (error as { getStatus(): number }).getStatus() : shape.status;
  const mapped = typeof status === 'number' ? fromStatus(status) : undefined;
  return (
    mapped ??
    new AppError('INTERNAL', 'Something went wrong on our side. Try again; if it stays, report the correlation id.', undefined, {
      cause: error,
    })
  );
}

/** What a socket acknowledgement or an HTTP answer carries for `error`. */
export function toErrorBody(error: unknown, correlationId?: string): ErrorBody {
  const body = toAppError(error).toBody();
  return correlationId === undefined ? body : { ...body, correlationId };
}
