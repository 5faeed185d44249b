import { AppError } from '@rahatback/contracts';
import type { ErrorCode } from '@rahatback/contracts';

/** What a store said when it refused, as far as it is safe to show. */
export interface S3Answer {
  readonly httpStatus: number;
  /** `<Code>` of the error document, when there was one. */
  readonly s3Code?: string;
  /** The permission that the call needs, e.g. `s3:PutObject`. */
  readonly action: string;
  readonly region?: string;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and the codes of Ceph and MinIO. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  NoSuchBucket: 'S3_BUCKET',
  InvalidBucketName: 'S3_BUCKET',
  PermanentRedirect: 'S3_REGION',
  AuthorizationHeaderMalformed: 'S3_REGION',
  IllegalLocationConstraintException: 'S3_REGION',
  InvalidAccessKeyId: 'S3_CREDENTIALS',
  SignatureDoesNotMatch: 'S3_CREDENTIALS',
  InvalidToken: 'S3_CREDENTIALS',
  ExpiredToken: 'S3_CREDENTIALS',
  InvalidClientTokenId: 'S3_CREDENTIALS',
  AccessDenied: 'S3_DENIED',
  AllAccessDisabled: 'S3_DENIED',
  AccountProblem: 'S3_DENIED',
  NoSuchKey: 'OBJECT_MISSING',
  NoSuchUpload: 'UPLOAD_MISSING',
  InvalidPart: 'PART_INVALID',
  InvalidPartOrder: 'PART_INVALID',
  EntityTooSmall: 'PART_INVALID',
  EntityTooLarge: 'PART_INVALID',
  BadDigest: 'PART_INVALID',
  InvalidDigest: 'PART_INVALID',
  XAmzContentSHA256Mismatch: 'PART_INVALID',
  PreconditionFailed: 'OBJECT_EXISTS',
  InvalidRange: 'DATA_TRUNCATED',
  QuotaExceeded: 'NO_SPACE',
  InsufficientCapacity: 'NO_SPACE',
  XMinioStorageFull: 'NO_SPACE',
  XMinioAdminBucketQuotaExceeded: 'NO_SPACE',
  IncompleteBody: 'STORAGE_TRANSIENT',
  RequestTimeout: 'STORAGE_TRANSIENT',
  ConditionalRequestConflict: 'STORAGE_TRANSIENT',
  OperationAborted: 'STORAGE_TRANSIENT',
  SlowDown: 'STORAGE_TRANSIENT',
  Throttling: 'STORAGE_TRANSIENT',
  ThrottlingException: 'STORAGE_TRANSIENT',
  RequestLimitExceeded: 'STORAGE_TRANSIENT',
  InternalError: 'STORAGE_TRANSIENT',
  ServiceUnavailable: 'STORAGE_TRANSIENT',
  RequestTimeTooSkewed: 'STORAGE_PERMANENT',
  NotImplemented: 'STORAGE_PERMANENT',
};

function codeOfStatus(status: number): ErrorCode {
  if (status === 507) return 'NO_SPACE';
  if (status === 501) return 'STORAGE_PERMANENT';
  if (status >= 500 || status === 408 || status === 425 || status === 429) return 'STORAGE_TRANSIENT';
  if (status === 301) return 'S3_REGION';
  if (status === 307) return 'STORAGE_TRANSIENT';
  if (status === 401 || status === 403) return 'S3_DENIED';
  if (status === 412) return 'OBJECT_EXISTS';
  if (status === 416) return 'DATA_TRUNCATED';
  return 'STORAGE_PERMANENT';
}

const SENTENCES: Partial<Record<ErrorCode, (answer: S3Answer) => string>> = {
  S3_BUCKET: () => 'The bucket does not exist at this endpoint. Create it or correct its name.',
  S3_REGION: ({ region }) =>
    `The bucket is in another region${region ? ` (${region})` : ''}. Correct the region or the endpoint of this storage.`,
  S3_CREDENTIALS: () => 'The storage refused the access key or its secret. Enter both keys again.',
  S3_DENIED: ({ action }) =>
    `The access key may not do ${action} here. Allow that action for the key, then test the storage again.`,
  OBJECT_MISSING: () => 'The object is not in the storage.',
  UPLOAD_MISSING: () => 'The upload does not exist any more: it was completed, aborted or cleaned up. Start the backup again.',
  PART_INVALID: () => 'The storage refused a part: its length or checksum is not the announced one.',
  OBJECT_EXISTS: () => 'An object of this name exists already and is never overwritten.',
  DATA_TRUNCATED: () => 'The stored object is shorter than the range that was asked for.',
  NO_SPACE: () => 'The storage is full or its quota is used up. Free some space, then run the backup again.',
  STORAGE_TRANSIENT: () => 'The storage is busy or failed for a moment. It is tried again.',
};

function sentence(code: ErrorCode, answer: S3Answer): string {
  if (answer.s3Code === 'RequestTimeTooSkewed')
    return "This machine's clock differs too much from the storage's clock. Correct the time, then try again.";
  const known = SENTENCES[code]?.(answer);
  return (
    known ??
    `The storage refused ${answer.action} (HTTP ${answer.httpStatus}${answer.s3Code ? `, ${answer.s3Code}` : ''}). Check the storage's settings.`
  );
}

/** Translates a refusal of an S3 store into our codes. A code we do not know falls back to its HTTP status. */
export function s3AnswerError(answer: S3Answer): AppError {
  const code = (answer.s3Code === undefined ? undefined : CODES[answer.s3Code]) ?? codeOfStatus(answer.httpStatus);
  const details = { action: answer.action, httpStatus: answer.httpStatus, ...(answer.s3Code ? { s3Code: answer.s3Code } : {}) };
  return new AppError(code, sentence(code, answer), answer.region ? { ...details, region: answer.region } : details);
}
