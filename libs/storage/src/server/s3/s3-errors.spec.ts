import { S3ServiceException } from '@aws-sdk/client-s3';
import type { ErrorCode } from '@rahatback/contracts';
import { translateS3Error } from './s3-errors.js';

const refusal = (name: string, status: number, extra: object = {}): Error =>
  Object.assign(
    new S3ServiceException({ name, $fault: 'client', $metadata: { httpStatusCode: status }, message: 'secret-in-message' }),
    extra,
  );

const errno = (code: string): Error => Object.assign(new Error('connect 10.0.0.1:9000'), { code });

describe('translateS3Error', () => {
  it.each<[string, number, ErrorCode]>([
    ['NoSuchBucket', 404, 'S3_BUCKET'],
    ['InvalidBucketName', 400, 'S3_BUCKET'],
    ['PermanentRedirect', 301, 'S3_REGION'],
    ['AuthorizationHeaderMalformed', 400, 'S3_REGION'],
    ['InvalidAccessKeyId', 403, 'S3_CREDENTIALS'],
    ['SignatureDoesNotMatch', 403, 'S3_CREDENTIALS'],
    ['ExpiredToken', 400, 'S3_CREDENTIALS'],
    ['AccessDenied', 403, 'S3_DENIED'],
    ['Forbidden', 403, 'S3_DENIED'],
    ['QuotaExceeded', 403, 'NO_SPACE'],
    ['NoSuchKey', 404, 'OBJECT_MISSING'],
    ['NoSuchUpload', 404, 'UPLOAD_MISSING'],
    ['InvalidPart', 400, 'PART_INVALID'],
    ['EntityTooSmall', 400, 'PART_INVALID'],
    ['BadDigest', 400, 'PART_INVALID'],
    ['PreconditionFailed', 412, 'OBJECT_EXISTS'],
    ['SlowDown', 503, 'STORAGE_TRANSIENT'],
    ['InternalError', 500, 'STORAGE_TRANSIENT'],
    ['InternalError', 200, 'STORAGE_TRANSIENT'],
    ['RequestTimeout', 400, 'STORAGE_TRANSIENT'],
    ['TooManyRequests', 429, 'STORAGE_TRANSIENT'],
    ['ConditionalRequestConflict', 409, 'STORAGE_TRANSIENT'],
    ['RequestTimeTooSkewed', 403, 'STORAGE_PERMANENT'],
    ['NotImplemented', 501, 'STORAGE_PERMANENT'],
    ['InvalidStorageClass', 400, 'STORAGE_PERMANENT'],
    ['MethodNotAllowed', 405, 'STORAGE_PERMANENT'],
    // A HEAD's 404 names nothing: any web server answers it.
    ['NotFound', 404, 'STORAGE_PERMANENT'],
    ['BadGateway', 502, 'STORAGE_TRANSIENT'],
    ['InsufficientStorage', 507, 'NO_SPACE'],
  ])('%s (%i) is %s', (name, status, expected) => {
    expect(translateS3Error(refusal(name, status), 's3:PutObject').code).toBe(expected);
  });

  it.each<[string, ErrorCode]>([
    ['ECONNREFUSED', 'STORAGE_UNREACHABLE'],
    ['ENOTFOUND', 'STORAGE_UNREACHABLE'],
    ['EAI_AGAIN', 'STORAGE_UNREACHABLE'],
    ['EHOSTUNREACH', 'STORAGE_UNREACHABLE'],
    ['ECONNRESET', 'STORAGE_TRANSIENT'],
    ['EPIPE', 'STORAGE_TRANSIENT'],
    ['ETIMEDOUT', 'STORAGE_TRANSIENT'],
    ['CERT_HAS_EXPIRED', 'STORAGE_PERMANENT'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'STORAGE_PERMANENT'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'STORAGE_PERMANENT'],
  ])('%s is %s', (code, expected) => {
    expect(translateS3Error(errno(code), 's3:PutObject').code).toBe(expected);
    expect(translateS3Error(new AggregateError([errno(code)], 'all addresses failed'), 's3:PutObject').code).toBe(expected);
    expect(translateS3Error(new Error('wrapped', { cause: errno(code) }), 's3:PutObject').code).toBe(expected);
  });

  it('names the missing permission and the right region', () => {
    expect(translateS3Error(refusal('AccessDenied', 403), 's3:DeleteObject').message).toContain('s3:DeleteObject');
    expect(
      translateS3Error(refusal('AuthorizationHeaderMalformed', 400, { Region: 'eu-west-1' }), 's3:ListBucket').message,
    ).toContain('eu-west-1');
    expect(translateS3Error(refusal('RequestTimeTooSkewed', 403), 's3:ListBucket').message).toContain('clock');
  });

  it("takes Ceph's NoSuchKey about an upload for what it means", () => {
    expect(translateS3Error(refusal('NoSuchKey', 404), 's3:ListMultipartUploadParts').code).toBe('UPLOAD_MISSING');
    expect(translateS3Error(refusal('NoSuchKey', 404), 's3:GetObject').code).toBe('OBJECT_MISSING');
  });

  it('passes on neither the message nor the error of the SDK', () => {
    const translated = translateS3Error(refusal('AccessDenied', 403), 's3:PutObject');
    expect(JSON.stringify({ ...translated.toBody(), stack: translated.stack })).not.toContain('secret-in-message');
    expect(translated.cause).toBeUndefined();
  });
});
