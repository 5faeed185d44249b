import { crashPoint } from '../crash-point.js';

/** Dump bytes between two passes of the crash point `restore.mid`. */
const MID_EVERY_BYTES = 1024 * 1024;

/** Call the answer with the bytes read so far: it passes the crash point `restore.mid` once a MiB. */
export function midPoint(): (bytesRead: number) => void {
  let next = MID_EVERY_BYTES;
  return (bytesRead) => {
    if (bytesRead < next) return;
    next += MID_EVERY_BYTES;
    crashPoint('restore.mid');
  };
}
