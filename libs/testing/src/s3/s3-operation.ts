import type { IncomingMessage } from 'node:http';

export type S3Operation =
  | 'CreateUpload'
  | 'UploadPart'
  | 'ListParts'
  | 'CompleteUpload'
  | 'AbortUpload'
  | 'ListUploads'
  | 'PutObject'
  | 'GetObject'
  | 'HeadObject'
  | 'DeleteObject'
  | 'ListObjects'
  | 'Other';

export interface S3Request {
  readonly operation: S3Operation;
  readonly method: string;
  /** `/bucket/key`, as sent. */
  readonly path: string;
  readonly partNumber?: number;
}

const UPLOAD_OPERATIONS: Readonly<Record<string, S3Operation>> = {
  PUT: 'UploadPart',
  GET: 'ListParts',
  POST: 'CompleteUpload',
  DELETE: 'AbortUpload',
};

const OBJECT_OPERATIONS: Readonly<Record<string, S3Operation>> = {
  PUT: 'PutObject',
  GET: 'GetObject',
  HEAD: 'HeadObject',
  DELETE: 'DeleteObject',
};

function operationOf(method: string, url: URL): S3Operation {
  const isObject = url.pathname.split('/').filter(Boolean).length > 1;
  if (url.searchParams.has('uploads')) return method === 'POST' ? 'CreateUpload' : 'ListUploads';
  if (url.searchParams.has('uploadId')) return UPLOAD_OPERATIONS[method] ?? 'Other';
  if (isObject) return OBJECT_OPERATIONS[method] ?? 'Other';
  return method === 'GET' ? 'ListObjects' : 'Other';
}

/** Tells what a path-style S3 request asks for. */
export function s3RequestOf(message: IncomingMessage): S3Request {
  const method = message.method ?? 'GET';
  const url = new URL(message.url ?? '/', 'http://proxy');
  const partNumber = Number(url.searchParams.get('partNumber') ?? Number.NaN);
  const request = { operation: operationOf(method, url), method, path: url.pathname };
  return Number.isNaN(partNumber) ? request : { ...request, partNumber };
}
