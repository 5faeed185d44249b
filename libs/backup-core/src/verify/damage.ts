import { AppError } from '@rahatback/contracts';
import { asAppError } from '../as-app-error.js';
import { ABOUT_OBJECTS } from '../restore/at-object.js';

/** The error as one about the backup. @throws the error itself when it is about something else */
export function damageOf(error: unknown): AppError {
  const failure = asAppError(error);
  if (failure instanceof AppError && ABOUT_OBJECTS.has(failure.code)) return failure;
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
