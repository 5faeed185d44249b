import { GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Readable } from 'node:stream';
import { AppError } from '@rahatback/contracts';
import { assertObjectKey } from '../../object-key.js';
import type { ObjectStat } from '../storage-backend.js';
import { translateS3Error } from './s3-errors.js';
import type { S3Action } from './s3-errors.js';

export interface HeadAnswer {
  readonly stat: ObjectStat;
  /** With KMS the tag says nothing about the bytes that we sent. */
  readonly isEtagMd5: boolean;
}

/** `IfNoneMatch: '*'`, or nothing for a store that does not know it. */
export interface WriteCondition {
  readonly IfNoneMatch?: '*';
}

export const unquoted = (etag: string | undefined): string | undefined => etag?.replace(/^"|"$/g, '') || undefined;

function isRefusal(error: unknown): boolean {
  const status = (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode;
  return status !== undefined && status >= 400 && status < 500;
}

/** One bucket and prefix, and how to call it: what both halves of the driver share. */
export class S3Target {
  #isConditionKnown = true;

  constructor(
    readonly client: S3Client,
    readonly bucket: string,
    readonly prefix: string,
  ) {}

  /** Throws PATH_FORBIDDEN for a key that is none. */
  address(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: this.prefix + assertObjectKey(key) };
  }

  keyOf(objectKey: string): string {
    return objectKey.slice(this.prefix.length);
  }

  async call<T>(action: S3Action, run: (client: S3Client) => Promise<T>): Promise<T> {
    try {
      return await run(this.client);
    } catch (error) {
      throw translateS3Error(error, action);
    }
  }

  /** Runs a write under If-None-Match, and once more without it when the store answers that it does not implement that. */
  async conditionally<T>(write: (condition: WriteCondition) => Promise<T>): Promise<T> {
    if (this.#isConditionKnown) {
      try {
        return await write({ IfNoneMatch: '*' });
      } catch (error) {
        const isUnknown =
          error instanceof AppError && (error.details?.['s3Code'] === 'NotImplemented' || error.details?.['httpStatus'] === 501);
        if (!isUnknown) throw error;
        this.#isConditionKnown = false;
      }
    }
    return write({});
  }

  /** undefined only if the store itself said NoSuchKey. The answer to a HEAD has no body, so a GET of one byte asks for the reason of a refusal. */
  async head(key: string): Promise<HeadAnswer | undefined> {
    const address = this.address(key);
    for (let round = 0; round < 2; round += 1) {
      try {
        const answer = await this.client.send(new HeadObjectCommand(address));
        if (answer.ContentLength === undefined)
          throw new AppError('STORAGE_PERMANENT', "The storage did not say an object's size. Check the gateway in front of it.");
        const etag = unquoted(answer.ETag);
        const isEtagMd5 = !/kms/i.test(answer.ServerSideEncryption ?? '') && answer.SSECustomerAlgorithm === undefined;
        const stat = {
          key,
          sizeBytes: answer.ContentLength,
          modifiedAt: answer.LastModified ?? new Date(0),
          ...(etag ? { etag, stamp: etag } : {}),
        };
        return { stat, isEtagMd5 };
      } catch (error) {
        if (!isRefusal(error)) throw translateS3Error(error, 's3:GetObject');
      }
      if (await this.#isPositivelyMissing(key)) return undefined;
    }
    throw new AppError(
      'STORAGE_TRANSIENT',
      'The storage says both that an object exists and that it does not. It is asked again.',
    );
  }

  async #isPositivelyMissing(key: string): Promise<boolean> {
    try {
      const answer = await this.client.send(new GetObjectCommand({ ...this.address(key), Range: 'bytes=0-0' }));
      (answer.Body as Readable | undefined)?.destroy();
      return false;
    } catch (error) {
      const translated = translateS3Error(error, 's3:GetObject');
      if (translated.code === 'OBJECT_MISSING') return true;
      if (translated.code === 'DATA_TRUNCATED') return false;
      throw translated;
    }
  }
}
