import { AppError } from '@rahatback/contracts';
import type { ErrorCode, SignedRequest } from '@rahatback/contracts';
import { waitBeforeRetry } from '../backoff.js';
import type { RetryOptions } from '../backoff.js';
import type { UploadPoint } from './backup-sink.js';
import type { HttpTransfer } from './http-transfer.js';
import { mayPass } from './retry-policy.js';

/** One part as the server is told about it: the fields of `upload:part` in the agent protocol. */
export interface PartAnnouncement {
  readonly partNumber: number;
  readonly sizeBytes: number;
  /** hex */
  readonly sha256: string;
  /** base64 */
  readonly md5: string;
}

export interface UploadedPart extends PartAnnouncement {
  readonly etag: string;
}

export interface PartUploadContext {
  readonly sign: (part: PartAnnouncement) => Promise<SignedRequest>;
  readonly transfer: HttpTransfer;
  readonly retry: RetryOptions;
  readonly signal: AbortSignal;
  readonly onPoint?: ((point: UploadPoint) => void) | undefined;
}

/** A refused signature: the URL ran out, or the access was taken away. Which one shows when a new URL is refused too. */
const REFUSED: ReadonlySet<ErrorCode> = new Set(['URL_EXPIRED', 'S3_DENIED', 'S3_CREDENTIALS']);
const MAX_REFUSALS_IN_A_ROW = 2;

/**
 * Puts one part until the store has it: a broken connection, a timeout, 5xx and bytes damaged on the way are tried again under the same number, which
 * overwrites the same content; an expired URL is renewed. Fails at once when a fresh URL is refused too, or with what no retry can mend.
 */
export async function uploadPart(context: PartUploadContext, part: PartAnnouncement, body: Buffer): Promise<UploadedPart> {
  const { retry, signal } = context;
  let signed: SignedRequest | undefined;
  let refusals = 0;
  for (let failures = 0; ;) {
    try {
      signal.throwIfAborted();
      signed ??= await context.sign(part);
      context.onPoint?.('upload.part.before_put');
      const { etag } = await context.transfer.put(signed, body, signal);
      context.onPoint?.('upload.part.after_put');
      return { ...part, etag };
    } catch (error) {
      if (signal.aborted) throw error;
      if (error instanceof AppError && REFUSED.has(error.code) && signed !== undefined) {
        refusals += 1;
        if (refusals >= MAX_REFUSALS_IN_A_ROW) throw error;
        signed = undefined;
        continue;
      }
      failures += 1;
      if (failures >= retry.attempts || !(mayPass(error) || wasDamaged(error))) throw error;
      refusals = 0;
      await waitBeforeRetry(failures, retry, signal);
    }
  }
}

/** The checksums were computed from the very buffer that was sent, so a mismatch was made on the way. */
const wasDamaged = (error: unknown): boolean =>
  error instanceof AppError &&
  error.code === 'PART_INVALID' &&
  ['BadDigest', 'XAmzContentSHA256Mismatch'].includes(String(error.details?.['s3Code']));
