import type { BackupLocation, ReportBase } from '@rahatback/contracts';
import type { DownloadControl, UploadControl } from '@rahatback/storage/agent';
import type { ServerRequests } from '../connection/server-requests.js';

/** The control calls of an upload, over the socket. They wait for the server as long as `signal` lets them. */
export const uploadControl = (requests: ServerRequests, report: ReportBase, signal: AbortSignal): UploadControl => ({
  begin: (object) => requests.ask('upload:begin', { ...report, object }, signal),
  signPart: (object, part) => requests.ask('upload:part', { ...report, object, ...part }, signal),
  complete: async (object, upload) => {
    await requests.ask('upload:complete', { ...report, object, ...upload }, signal);
  },
  publish: async (object, bytes) => {
    await requests.ask('upload:publish', { ...report, object, content: bytes.toString('base64') }, signal);
  },
  // Runs when the work was aborted already: its own short patience, since the server sweeps what it does not hear of.
  abort: async () => {
    await requests.ask('upload:abort', report, AbortSignal.timeout(ABORT_PATIENCE_MS)).catch(() => undefined);
  },
});

const ABORT_PATIENCE_MS = 5_000;

/** Opens one backup's objects for reading, over the socket. */
export const downloadControl = (
  requests: ServerRequests,
  report: ReportBase,
  read: { readonly location: BackupLocation; readonly signal: AbortSignal },
): DownloadControl => ({
  open: (object) => requests.ask('download:open', { ...report, location: read.location, object }, read.signal),
});
