import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import { S3Client } from '@aws-sdk/client-s3';
import { networkError } from '../../network-errors.js';
import { assertFolderName } from '../../object-key.js';

export interface S3BackendConfig {
  /** Any S3-compatible server; without it AWS in `region`. */
  readonly endpoint?: string;
  readonly region?: string;
  readonly bucket: string;
  /** Folder in the bucket that everything of this storage stands below. */
  readonly prefix?: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Default: path style at an endpoint, virtual hosts at AWS. */
  readonly forcePathStyle?: boolean;
  readonly storageClass?: string;
  /** `AES256`, `aws:kms`, …: asked of the store for every object. */
  readonly sse?: string;
  /** Makes the connections; closed with the backend. Whoever refuses some addresses gives agents of its own. */
  readonly agents?: { readonly http: HttpAgent; readonly https: HttpsAgent };
  readonly connectTimeoutMs?: number;
  /** How long a store may take until its answer begins. */
  readonly requestTimeoutMs?: number;
  /** How long a connection may be silent in the middle of a body. */
  readonly idleTimeoutMs?: number;
}

/** Checksum headers of newer SDKs are left out (WHEN_REQUIRED): R2, B2 and older Ceph refuse them; Content-MD5 and x-amz-content-sha256 are ours. */
export function createS3Client(config: S3BackendConfig): S3Client {
  const client = new S3Client({
    ...(config.endpoint ? { endpoint: config.endpoint } : {}),
    region: config.region ?? 'us-east-1',
    credentials: { accessKeyId: config.accessKeyId, secretAccessKey: config.secretAccessKey },
    forcePathStyle: config.forcePathStyle ?? config.endpoint !== undefined,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // withRetry retries; an SDK that retries by itself would hide which answer was lost.
    maxAttempts: 1,
    requestHandler: {
      ...(config.agents ? { httpAgent: config.agents.http, httpsAgent: config.agents.https } : {}),
      connectionTimeout: config.connectTimeoutMs ?? 10_000,
      requestTimeout: config.requestTimeoutMs ?? 120_000,
      throwOnRequestTimeout: true,
      socketTimeout: config.idleTimeoutMs ?? 60_000,
    },
  });
  // Translated where it arises: higher up the SDK may wrap what it takes for a foreign error, and the code is lost.
  client.middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        throw networkError(error) ?? error;
      }
    },
    { step: 'finalizeRequest', priority: 'low', name: 'translateNetworkErrors' },
  );
  return client;
}

/** `''` or a folder that ends in a slash. Throws PATH_FORBIDDEN. */
export function keyPrefix(config: S3BackendConfig): string {
  const folder = (config.prefix ?? '').replace(/^\/+|\/+$/g, '');
  return folder === '' ? '' : `${assertFolderName(folder)}/`;
}
