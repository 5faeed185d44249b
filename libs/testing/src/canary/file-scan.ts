import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { uniqueHits, type CanaryHit, type CanarySet } from './canary.js';

/** A file that vanishes between listing and reading is a temp file doing its work. */
const isGone = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

async function scanFile(canaries: CanarySet, path: string): Promise<CanaryHit[]> {
  const hits: CanaryHit[] = [];
  let tail = Buffer.alloc(0);
  try {
    for await (const piece of createReadStream(path, { highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>) {
      const window = Buffer.concat([tail, piece]);
      hits.push(...canaries.find(window, path));
      tail = window.subarray(Math.max(0, window.length - canaries.overlapBytes));
    }
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  return uniqueHits(hits);
}

/**
 * Looks for canaries in the names and contents of all files below the folders (links are not followed), in constant memory.
 * @param except paths that may hold secrets, such as an agent's own key folder
 */
export async function scanFiles(
  canaries: CanarySet,
  folders: readonly string[],
  except: readonly string[] = [],
): Promise<CanaryHit[]> {
  const hits: CanaryHit[] = [];
  for (const folder of folders) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name);
      if (except.some((allowed) => path === allowed || path.startsWith(`${allowed}/`))) continue;
      hits.push(...canaries.find(entry.name, path));
      if (entry.isFile()) hits.push(...(await scanFile(canaries, path)));
    }
  }
  return uniqueHits(hits);
}
