import { AppError, type ErrorCode } from '@rahatback/contracts';
import { asAppError } from '../as-app-error.js';

/** What is said of stored objects. Anything else (network, disk, cancel, policy) is about the way to them. */
const DAMAGE: ReadonlySet<ErrorCode> = new Set([
  'OBJECT_MISSING',
  'DATA_CORRUPT',
  'DATA_TRUNCATED',
  'MANIFEST_INVALID',
  'KEYS_INVALID',
  'WRONG_KEY',
  'KDF_PARAMS_REFUSED',
  'FORMAT_UNSUPPORTED',
]);

/** The error as one about the backup. @throws the error itself when it is about something else */
export function damageOf(error: unknown): AppError {
  const failure = asAppError(error);
  if (failure instanceof AppError && DAMAGE.has(failure.code)) return failure;
  throw failure;
}

/** The stored object that it is about. */
export const objectOf = ({ details }: AppError): string | null => (typeof details?.object === 'string' ? details.object : null);
export const backupOf = ({ details }: AppError): string | null =>
  typeof details?.backupId === 'string' ? details.backupId : null;
export const segmentOf = ({ details }: AppError): number | null =>
  typeof details?.segment === 'number' ? details.segment : null;

/** Code and details, for evidence. */
export const evidenceOf = ({ code, details }: AppError): Readonly<Record<string, unknown>> => ({ code, ...details });
