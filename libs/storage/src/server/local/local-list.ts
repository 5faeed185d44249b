import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileStamp } from '../../file-stamp.js';
import type { ObjectStat } from '../storage-backend.js';
import { errnoOf } from './local-errors.js';

/** A folder sorts as its name with the slash that follows, so that the walk yields keys in the order of their bytes ("a-b" before "a/b"). */
const sortName = (entry: Dirent): string => (entry.isDirectory() ? `${entry.name}/` : entry.name);

const byBytes = (a: Dirent, b: Dirent): number => (sortName(a) < sortName(b) ? -1 : 1);

/** Objects below `folder` whose key starts with the prefix, ascending. Hidden names and links are not objects. What vanishes meanwhile was deleted. */
export async function* listObjects(folder: string, prefix: string, keyBase = ''): AsyncGenerator<ObjectStat> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' && keyBase !== '') return [];
    throw error;
  });
  for (const entry of entries.sort(byBytes)) {
    if (entry.name.startsWith('.')) continue;
    const key = keyBase + entry.name;
    if (entry.isDirectory()) {
      const isOnTheWay = prefix.startsWith(`${key}/`) || `${key}/`.startsWith(prefix);
      if (isOnTheWay) yield* listObjects(join(folder, entry.name), prefix, `${key}/`);
    } else if (entry.isFile() && key.startsWith(prefix)) {
      const stats = await lstat(join(folder, entry.name)).catch((error: unknown) => {
        if (errnoOf(error) === 'ENOENT') return undefined;
        throw error;
      });
      if (stats) yield { key, sizeBytes: stats.size, modifiedAt: stats.mtime, stamp: fileStamp(stats) };
    }
  }
}
