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
const BROKEN = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ETIMEDOUT', 'ESOCKETTIMEDOUT', 'ERR_STREAM_PREMATURE_CLOSE']);
const TLS = /^(EPROTO$|CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH)/;

interface ErrorLike {
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
}

/**
 * Errors can be wrapped (the AggregateError of a connect to several addresses, a cause): every code counts. Asked by shape, because an error may
 * come from another realm than ours.
 */
function errorCodes(error: unknown, depth = 0): string[] {
  if (typeof error !== 'object' || error === null || depth > 4) return [];
  const { code, cause, errors } = error as ErrorLike;
  const inner: unknown[] = Array.isArray(errors) ? [...(errors as unknown[]), cause] : [cause];
  return [...(typeof code === 'string' ? [code] : []), ...inner.flatMap((one) => errorCodes(one, depth + 1))];
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
  const certificate = codes.find((code) => TLS.test(code));
  if (certificate) {
    const sentence = `No secure connection to the storage (${certificate}). Install a valid certificate there, or correct the endpoint (http or https).`;
    return new AppError('STORAGE_PERMANENT', sentence, { networkCode: certificate });
  }
  const broken =
    codes.find((code) => BROKEN.has(code)) ?? ((error as Error | null)?.name === 'TimeoutError' ? 'TimeoutError' : undefined);
  if (broken) {
    return new AppError('STORAGE_TRANSIENT', `The connection to the storage broke or timed out (${broken}). It is tried again.`, {
      networkCode: broken,
    });
  }
  return undefined;
}
