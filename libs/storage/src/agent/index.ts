/** What an agent writes and reads backups with. Nothing here knows a key of a storage. */
export * from './backup-sink.js';
export * from './backup-source.js';
export * from './upload-control.js';
export type { PartAnnouncement, UploadedPart } from './part-upload.js';
export * from './signed-url-sink.js';
export * from './signed-url-source.js';
export * from './backend-source.js';
export { folderError, PARTIAL_SUFFIX, syncFolder } from './folder-files.js';
export * from './folder-sink.js';
export * from './folder-source.js';
export { HttpTransfer } from './http-transfer.js';
export type { HttpTransferOptions } from './http-transfer.js';
export { DEFAULT_AGENT_RETRY } from './retry-policy.js';
export type { RetryOptions } from '../backoff.js';
export * from '../limits.js';
