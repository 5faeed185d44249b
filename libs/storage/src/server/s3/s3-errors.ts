import { S3ServiceException } from '@aws-sdk/client-s3';
import { AppError } from '@rahatback/contracts';
import { networkError } from '../../network-errors.js';
import { s3AnswerError } from '../../s3-answer.js';

/** The permission that a policy must grant for a call: what a person can look up and allow. */
export type S3Action =
  | 's3:PutObject'
  | 's3:GetObject'
  | 's3:ListBucket'
  | 's3:DeleteObject'
  | 's3:AbortMultipartUpload'
  | 's3:ListMultipartUploadParts'
  | 's3:ListBucketMultipartUploads';

const UPLOAD_ACTIONS: ReadonlySet<S3Action> = new Set(['s3:AbortMultipartUpload', 's3:ListMultipartUploadParts']);

/** The SDK names an error by its `<Code>`, or by a word of its own when the answer had no body (HEAD). */
const BODILESS_NAMES = new Set([
  'NotFound',
  'Forbidden',
  'BadRequest',
  'Unknown',
  'UnknownError',
  'Error',
  'S3ServiceException',
  '301',
  '403',
  '404',
]);

function s3CodeOf(error: S3ServiceException, action: S3Action): string | undefined {
  if (BODILESS_NAMES.has(error.name) || /^\d+$/.test(error.name)) return undefined;
  // Ceph answers NoSuchKey to a question about an upload that is gone.
  return error.name === 'NoSuchKey' && UPLOAD_ACTIONS.has(action) ? 'NoSuchUpload' : error.name;
}

function regionOf(error: S3ServiceException): string | undefined {
  const named = (error as { Region?: unknown }).Region ?? error.$response?.headers['x-amz-bucket-region'];
  return typeof named === 'string' ? named : undefined;
}

/**
 * Everything that the SDK can throw, in our codes. The SDK's error is not kept as a cause: it holds the request, and so the signature.
 * A bare 404 is STORAGE_PERMANENT here: without the store's own code it may be any web server's.
 */
export function translateS3Error(error: unknown, action: S3Action): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof S3ServiceException) {
    const s3Code = s3CodeOf(error, action);
    const region = regionOf(error);
    // A throttling SDK error may come without a status.
    const httpStatus = error.$metadata.httpStatusCode ?? 503;
    return s3AnswerError({ httpStatus, action, ...(s3Code ? { s3Code } : {}), ...(region ? { region } : {}) });
  }
  const network = networkError(error);
  if (network) return network;
  const status = (error as { $metadata?: { httpStatusCode?: unknown } } | null)?.$metadata?.httpStatusCode;
  if (typeof status === 'number' && status >= 300) return s3AnswerError({ httpStatus: status, action });
  // What is left is an answer that the SDK could not read: an empty or broken document of a server that died in the middle.
  const name = error instanceof Error ? error.name : 'unknown error';
  return new AppError('STORAGE_TRANSIENT', `The storage's answer could not be read (${name}). It is tried again.`, { action });
}
