/** What the server stores backups with: one interface, drivers, and the decorator that retries. Agents use `@rahatback/storage/agent`. */
export * from './storage-backend.js';
export * from './s3/s3-backend.js';
export type { S3BackendConfig } from './s3/s3-config.js';
export * from './local/local-backend.js';
export * from './with-retry.js';
export { multipartEtag } from './part-check.js';
export { isTransient } from '../backoff.js';
export type { RetryOptions } from '../backoff.js';
export { assertFolderName, assertKeyPrefix, assertObjectKey } from '../object-key.js';
export * from '../limits.js';
