import { AppError, type ErrorCode } from '@rahatback/contracts';
import { asAppError } from '../as-app-error.js';

/** What can be said of a stored object: it is gone, or is not what was written. Anything else (network, disk, cancel, policy) is about the way to it. */
export const ABOUT_OBJECTS: ReadonlySet<ErrorCode> = new Set([
  'OBJECT_MISSING',
  'DATA_CORRUPT',
  'DATA_TRUNCATED',
  'MANIFEST_INVALID',
  'KEYS_INVALID',
  'WRONG_KEY',
  'KDF_PARAMS_REFUSED',
  'FORMAT_UNSUPPORTED',
]);

export interface ObjectPlace {
  /** Null while it is not known which backup is being read. */
  readonly backupId: string | null;
  readonly object: string;
}

/** The same failure with backup and object in its sentence and its details, unless they are there already. Other failures come back as they are. */
export function atObject(error: unknown, { backupId, object }: ObjectPlace): unknown {
  const failure = asAppError(error);
  if (!(failure instanceof AppError) || !ABOUT_OBJECTS.has(failure.code)) return failure;
  if (failure.details?.backupId !== undefined && failure.details.object !== undefined) return failure;
  const name = backupId === null ? object : `${object} of backup ${backupId}`;
  const details = { ...failure.details, ...(backupId === null ? {} : { backupId }), object };
  return new AppError(failure.code, `${name}: ${failure.message}`, details, { cause: error });
}
