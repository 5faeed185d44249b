import type { ErrorBody } from './errors.js';

/** What every socket acknowledgement carries. */
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: ErrorBody };

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });
export const failed = <T = never>(error: ErrorBody): Result<T> => ({ ok: false, error });
