import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { knowsSecrets, type CanaryRun } from './canary-run.js';
import { scanFile } from './file-scan.js';

const SWEEP_MS = 1_000;
/** A file's times are those of the kernel's last tick, some milliseconds ago. */
const CLOCK_TICK_MS = 50;
/** Larger files are looked at when their folder goes. */
const SMALL_BYTES = 1024 * 1024;

/** Small files below a folder that changed since `sinceMs`. Whatever vanishes meanwhile is passed over. */
function* changedFiles(folder: string, sinceMs: number): Generator<string> {
  for (const entry of entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !knowsSecrets(entry.name)) yield* changedFiles(path, sinceMs);
    if (entry.isFile() && isChanged(path, sinceMs)) yield path;
  }
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function isChanged(path: string, sinceMs: number): boolean {
  try {
    const { ctimeMs, size } = lstatSync(path);
    return ctimeMs >= sinceMs && size <= SMALL_BYTES;
  } catch {
    return false;
  }
}

export interface TempSweep {
  stop(): Promise<void>;
}

/** Looks at what appears in the temporary folder of a whole run every second: files that live shorter may go unseen. */
export function sweepTemp(run: CanaryRun, root: string): TempSweep {
  let sinceMs = Date.now();
  let isOver = false;
  const sweep = async (): Promise<void> => {
    const from = sinceMs - CLOCK_TICK_MS;
    sinceMs = Date.now();
    for (const path of changedFiles(root, from)) run.add('files', 1, await scanFile(run.byMark, path).catch(() => []));
  };
  const loop = async (): Promise<void> => {
    while (!isOver) {
      await sweep();
      await new Promise((resolve) => setTimeout(resolve, SWEEP_MS));
    }
  };
  const done = loop();
  return {
    async stop() {
      isOver = true;
      await done;
    },
  };
}
