import type { BackupLocation, ReportBase } from '@rahatback/contracts';
import type { DownloadControl, UploadControl } from '@rahatback/storage/agent';
import type { ServerRequests } from '../connection/server-requests.js';

const ABORT_PATIENCE_MS = 5_000;

export interface UploadCalls {
  readonly requests: ServerRequests;
  readonly report: ReportBase;
  readonly signal: AbortSignal;
  /** Told when the server says that an object stands, with the SHA-256 (hex) of its stored bytes, before the caller goes on. */
  readonly onPublished: (object: string, sha256: string) => Promise<void>;
}

/** The control calls of an upload, over the socket. They wait for the server as long as `signal` lets them. */
export const uploadControl = ({ requests, report, signal, onPublished }: UploadCalls): UploadControl => ({
  begin: (object) => requests.ask('upload:begin', { ...report, object }, signal),
  signPart: (object, part) => requests.ask('upload:part', { ...report, object, ...part }, signal),
  complete: (object, upload) => requests.ask('upload:complete', { ...report, object, ...upload }, signal),
  publish: async (object, bytes) => {
    const content = bytes.toString('base64');
    const { sha256 } = await requests.ask('upload:publish', { ...report, object, content }, signal);
    await onPublished(object, sha256);
  },
  // Runs when the work was aborted already: its own short patience, since the server sweeps what it does not hear of.
  abort: async () => {
    await requests.ask('upload:abort', report, AbortSignal.timeout(ABORT_PATIENCE_MS)).catch(() => undefined);
  },
});

/** Opens one backup's objects for reading, over the socket. */
export const downloadControl = (
  requests: ServerRequests,
  report: ReportBase,
  read: { readonly location: BackupLocation; readonly signal: AbortSignal },
): DownloadControl => ({
  open: (object) => requests.ask('download:open', { ...report, location: read.location, object }, read.signal),
});
