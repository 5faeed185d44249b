/** Each code is also a code of libs/contracts, so a caller maps one to one and needs no table. */
export type CryptoErrorCode =
  | 'WRONG_KEY'
  | 'DATA_CORRUPT'
  | 'DATA_TRUNCATED'
  | 'FORMAT_UNSUPPORTED'
  | 'KEYS_INVALID'
  | 'KDF_PARAMS_REFUSED'
  | 'MANIFEST_INVALID'
  | 'RECOVERY_KEY_INVALID';

/**
 * What this library throws when key or data are at fault. The message says what to do next; neither it nor `details`
 * ever holds key material or plaintext. A wrong call (a defect of the caller) is a TypeError or RangeError instead.
 */
export class CryptoError extends Error {
  constructor(
    readonly code: CryptoErrorCode,
    message: string,
    readonly details: Readonly<Record<string, unknown>> = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'CryptoError';
  }
}

export const isCryptoError = (error: unknown, code?: CryptoErrorCode): error is CryptoError =>
  error instanceof CryptoError && (code === undefined || error.code === code);
