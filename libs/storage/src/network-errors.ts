import { AppError } from '@rahatback/contracts';

const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
  'EADDRNOTAVAIL',
]);
const BROKEN = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'ERR_STREAM_PREMATURE_CLOSE',
  'EPROTO',
]);
const CERTIFICATE = /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH)/;

/** Errors can be wrapped (AggregateError of a happy-eyeballs connect, a cause): the first known code counts. */
function errorCodes(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const own = (error as NodeJS.ErrnoException).code;
  const inner = error instanceof AggregateError ? error.errors.flatMap(errorCodes) : [];
  return [...(typeof own === 'string' ? [own] : []), ...inner, ...errorCodes(error.cause)];
}

/** Translates a failed connection; undefined when the error is of another kind. Never carries the URL, which may be signed. */
export function networkError(error: unknown): AppError | undefined {
  const codes = errorCodes(error);
  const refused = codes.find((code) => UNREACHABLE.has(code));
  if (refused) {
    return new AppError(
      'STORAGE_UNREACHABLE',
      `The storage cannot be reached (${refused}). Check the endpoint, the network and the firewall.`,
      {
        networkCode: refused,
      },
    );
  }
  const certificate = codes.find((code) => CERTIFICATE.test(code));
  if (certificate) {
    const sentence = `The storage's TLS certificate was refused (${certificate}). Install a valid certificate or correct the endpoint.`;
    return new AppError('STORAGE_PERMANENT', sentence, { networkCode: certificate });
  }
  const broken =
    codes.find((code) => BROKEN.has(code)) ??
    (error instanceof Error && error.name === 'TimeoutError' ? 'TimeoutError' : undefined);
  if (broken) {
    return new AppError('STORAGE_TRANSIENT', `The connection to the storage broke or timed out (${broken}). It is tried again.`, {
      networkCode: broken,
    });
  }
  return undefined;
}
