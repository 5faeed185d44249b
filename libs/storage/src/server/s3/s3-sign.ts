import { GetObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { SignatureV4 } from '@smithy/signature-v4';
import type { SignedRequest } from '@rahatback/contracts';
import type { SignPartRequest } from '../storage-backend.js';

type PresignableRequest = Parameters<SignatureV4['presign']>[0];

/**
 * The SDK's own presigner fixes the payload hash to UNSIGNED-PAYLOAD, so the request is taken from the SDK before it signs and is signed here with length,
 * MD5 and SHA-256 as headers: the store then refuses any other bytes (AWS SigV4 with query parameters; seen refused by Ceph RGW).
 */
export async function presignPart(
  client: S3Client,
  target: { bucket: string; objectKey: string },
  part: SignPartRequest,
): Promise<SignedRequest> {
  const request = await unsignedRequest(client, {
    Bucket: target.bucket,
    Key: target.objectKey,
    UploadId: part.uploadId,
    PartNumber: part.partNumber,
    ContentLength: part.sizeBytes,
  });
  const headers = {
    'content-length': String(part.sizeBytes),
    'content-md5': part.md5Base64,
    'x-amz-content-sha256': part.sha256Hex,
  };
  request.headers = { host: hostOf(request), ...headers };
  const signer = new SignatureV4({
    credentials: client.config.credentials,
    region: client.config.region,
    service: 's3',
    sha256: client.config.sha256,
    uriEscapePath: false,
  });
  const signed = await signer.presign(request, {
    expiresIn: part.expiresInSeconds,
    unhoistableHeaders: new Set(['x-amz-content-sha256']),
  });
  return { method: 'PUT', url: urlOf(signed), headers, expiresAt: expiry(part.expiresInSeconds) };
}

/** A plain presigned GET; a Range header may be added to it, since it is not signed. */
export async function presignRead(
  client: S3Client,
  target: { bucket: string; objectKey: string },
  expiresInSeconds: number,
): Promise<SignedRequest> {
  const url = await getSignedUrl(client, new GetObjectCommand({ Bucket: target.bucket, Key: target.objectKey }), {
    expiresIn: expiresInSeconds,
  });
  return { method: 'GET', url, headers: {}, expiresAt: expiry(expiresInSeconds) };
}

const expiry = (expiresInSeconds: number): string => new Date(Date.now() + expiresInSeconds * 1000).toISOString();

async function unsignedRequest(
  client: S3Client,
  input: ConstructorParameters<typeof UploadPartCommand>[0],
): Promise<PresignableRequest> {
  const command = new UploadPartCommand(input);
  let request: PresignableRequest | undefined;
  command.middlewareStack.add(
    () => (args) => {
      request = args.request as PresignableRequest;
      return Promise.resolve({ response: {}, output: { $metadata: {} } });
    },
    { step: 'finalizeRequest', priority: 'high', name: 'takeRequestBeforeSigning' },
  );
  await client.send(command);
  if (!request) throw new Error('The SDK did not build a request.');
  return request;
}

function hostOf(request: PresignableRequest): string {
  return request.port === undefined ? request.hostname : `${request.hostname}:${request.port}`;
}

const escapeQuery = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);

function urlOf(request: PresignableRequest): string {
  const query = Object.entries(request.query ?? {})
    .flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value ?? '']).map((one) => `${escapeQuery(name)}=${escapeQuery(one)}`),
    )
    .join('&');
  return `${request.protocol}//${hostOf(request)}${request.path}?${query}`;
}
