import { connectLive } from '@rahatback/api-client';
import type {
  BackupProgressEvent,
  BackupProgressView,
  RestoreProgressEvent,
  VerificationProgressEvent,
} from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import type { RestClient } from '../system/rest-client.js';
import { formatBytes, formatRate } from './table.js';

export const sayLine = (text: string): void => void process.stdout.write(`${text}\n`);

function sayLive(text: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\u001b[2K  ${text}`);
}

function liveText(view: BackupProgressView): string {
  const eta = view.etaSeconds === null ? '' : `, ${Math.round(view.etaSeconds)} s left`;
  return `${view.currentStep} ${Math.round(view.progress)} %  ${formatBytes(view.bytesRead)} read, ${formatBytes(view.bytesStored)} stored, ${formatRate(view.bytesPerSecond, 1)}${eta}`;
}

export interface LiveCounts {
  /** Progress events that reached this person's socket. */
  progress: number;
}

/** Follows one operation over the person's socket, as the console does, and shows it on one line. */
export function openLive(person: RestClient): { counts: LiveCounts; close(): void } {
  const socket = connectLive(person.baseUrl, person.token);
  const counts: LiveCounts = { progress: 0 };
  const show = (event: BackupProgressEvent | RestoreProgressEvent | VerificationProgressEvent): void => {
    counts.progress += 1;
    sayLive(liveText(event));
  };
  socket.on('backup:progress', show);
  socket.on('restore:progress', show);
  socket.on('verification:progress', show);
  return { counts, close: () => void socket.disconnect() };
}

/** Reads the row until it has ended: events are hints, the row is the truth. */
export async function waitEnded<T extends { status: string }>(person: RestClient, path: string, timeoutMs: number): Promise<T> {
  const row = await waitFor(
    async () => {
      const view = await person.call<T>('GET', path);
      return view.status === 'running' || view.status === 'PENDING' ? undefined : view;
    },
    { timeoutMs, pollMs: 250, describe: `${path} to end` },
  );
  if (process.stdout.isTTY) process.stdout.write('\r\u001b[2K');
  return row;
}
