import { createReadStream, type Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { uniqueHits, type CanaryHit, type CanarySet } from './canary.js';

const HOLLOW_BYTES = 256 * 1024 * 1024;

/** A file that vanishes between listing and reading is a temp file doing its work. */
const isGone = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Looks for canaries in one file's content. One that vanishes has none. */
export async function scanFile(canaries: CanarySet, path: string): Promise<CanaryHit[]> {
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

/** A folder may vanish while it is listed, as temporary ones do. */
async function listed(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { recursive: true, withFileTypes: true });
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** Mostly holes, such as the disk of a test server or a file of 64 GiB that only has a head and a tail. */
async function isHollow(path: string): Promise<boolean> {
  try {
    const { size, blocks } = await lstat(path);
    return size > HOLLOW_BYTES && blocks * 512 < size / 2;
  } catch (error) {
    if (isGone(error)) return true;
    throw error;
  }
}

/**
 * Looks for canaries in the names and contents of all files below the folders (links are not followed, large files of mostly
 * nothing are passed over), in constant memory.
 * @param except paths that may hold secrets, such as an agent's own key folder
 * @param onFile called for each file that is read
 */
export async function scanFiles(
  canaries: CanarySet,
  folders: readonly string[],
  except: readonly string[] | ((path: string) => boolean) = [],
  onFile: (path: string) => void = () => undefined,
): Promise<CanaryHit[]> {
  const isExempt =
    typeof except === 'function'
      ? except
      : (path: string): boolean => except.some((allowed) => path === allowed || path.startsWith(`${allowed}/`));
  const hits: CanaryHit[] = [];
  for (const folder of folders) {
    const entries = await listed(folder);
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name);
      if (isExempt(path)) continue;
      hits.push(...canaries.find(entry.name, path));
      if (!entry.isFile() || (await isHollow(path))) continue;
      onFile(path);
      hits.push(...(await scanFile(canaries, path)));
    }
  }
  return uniqueHits(hits);
}
