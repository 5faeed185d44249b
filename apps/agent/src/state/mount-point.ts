import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

const deviceOf = (path: string): Promise<number | null> =>
  stat(path).then(
    ({ dev }) => dev,
    () => null,
  );

/** Whether another disk begins at this folder. False for one that is not there, and for the root. */
export async function isMountPoint(path: string): Promise<boolean> {
  const own = await deviceOf(path);
  return own !== null && own !== (await deviceOf(dirname(path)));
}

/** Where the disk of a folder that exists is mounted, links followed; null for the system's own disk. */
export async function mountPointOf(folder: string): Promise<string | null> {
  for (let path = await realpath(folder); path !== dirname(path); path = dirname(path)) {
    if (await isMountPoint(path)) return path;
  }
  return null;
}
