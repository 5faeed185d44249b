export * from './rgw-server.js';
export * from './s3-fault-proxy.js';
export type { S3Operation, S3Request } from './s3-operation.js';
