import type { Compression, CreateJobDto, UpdateJobDto, VerificationLevel } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';

export interface AutoVerification {
  readonly autoVerifyAfterBackup: boolean;
  readonly verificationLevel: VerificationLevel | null;
}

export const DEFAULT_TIME_ZONE = 'Europe/Istanbul';

export const invalidField = (field: string, sentence: string): AppError =>
  new AppError('VALIDATION', sentence, { fields: { [field]: [sentence] } });

/** `true` meant gzip in the original; zstd is ours and the default. */
export function compressionOf(choice: boolean | Compression | undefined): Compression {
  if (choice === undefined) return 'zstd';
  if (choice === true) return 'gzip';
  return choice === false ? 'none' : choice;
}

/** A level may stand without the switch, for later; the switch without a level means BASIC. */
export function autoVerification(
  dto: Pick<UpdateJobDto, 'autoVerifyAfterBackup' | 'verificationLevel'>,
  before: AutoVerification,
): AutoVerification {
  const autoVerifyAfterBackup = dto.autoVerifyAfterBackup ?? before.autoVerifyAfterBackup;
  const chosen = dto.verificationLevel ?? before.verificationLevel;
  return { autoVerifyAfterBackup, verificationLevel: chosen ?? (autoVerifyAfterBackup ? 'BASIC' : null) };
}

/** What the contract already names and this version cannot do yet is refused, never ignored. @throws AppError SCHEDULE_UNSUPPORTED, TZ_INVALID, VALIDATION */
export function assertSupported(dto: Partial<CreateJobDto> & UpdateJobDto): void {
  if ((dto.scheduleType ?? 'manual') !== 'manual') {
    throw new AppError(
      'SCHEDULE_UNSUPPORTED',
      'Schedules do not exist yet. Use scheduleType "manual" and start the job with a run request.',
    );
  }
  if ((dto.cronExpression ?? '') !== '' || dto.advancedScheduleConfig !== undefined) {
    throw new AppError('SCHEDULE_UNSUPPORTED', 'A manual job has no cron expression and no advanced schedule. Leave them out.');
  }
  if (dto.storagePath !== undefined) assertPathAlone(dto);
  if (dto.storageType === 'google_drive') {
    throw invalidField('storageType', 'Google Drive cannot be used as a storage yet. Choose local or s3.');
  }
  if (dto.timeZone !== undefined) assertTimeZone(dto.timeZone);
}

/** `storagePath` alone says where: a folder on the disk of the database's agent. */
function assertPathAlone({ storageType, cloudStorageId }: Partial<CreateJobDto>): void {
  if (cloudStorageId !== undefined)
    throw invalidField('cloudStorageId', "Give storagePath (a folder on the agent's own disk) or cloudStorageId, not both.");
  if ((storageType ?? 'local') !== 'local')
    throw invalidField('storagePath', "storagePath is a folder on the agent's own disk: it goes with storageType local only.");
}

function assertTimeZone(timeZone: string): void {
  // Only names of the tz database: an offset such as +03:00 knows nothing of summer time.
  const isName = /^[A-Za-z]+(\/[A-Za-z0-9_+-]+)*$/.test(timeZone);
  try {
    if (isName) return void new Intl.DateTimeFormat('en', { timeZone });
  } catch {
    // Said below.
  }
  throw new AppError('TZ_INVALID', `"${timeZone.slice(0, 60)}" is not a time zone. Use a name such as ${DEFAULT_TIME_ZONE}.`);
}
