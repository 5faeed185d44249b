import { AppError } from '@rahatback/contracts';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, rmdir, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DumpFacts } from '../../dump/dump-facts.js';
import { outputOf } from '../../process/spawn-tool.js';
import { asUnprivileged, giveToUnprivileged } from './throwaway-isolation.js';

const PREFIX = 'rahatback-verify-';
const REMOVE_TIMEOUT_MS = 10 * 60_000;
const KEY_LENGTH = 16;

/** The empty cluster and its write-ahead log. */
const FIXED_BYTES = 256 * 1024 * 1024;
/** What a row has in the heap besides its text, and what it has in one index on something small: head, line pointer and alignment, filled to nine tenths. */
const ROW_BYTES = 32;

/** Where throw-away servers are made: the temporary folder, and the one for larger things. */
export const THROWAWAY_WORK_DIRS: readonly string[] = [...new Set([tmpdir(), '/var/tmp'])];

/** How the folders of one verification begin. */
export const throwawayPrefix = (verificationId: string): string => `${PREFIX}${keyOf(verificationId)}-`;

const keyOf = (verificationId: string): string =>
  verificationId
    .replaceAll(/[^A-Za-z0-9]/g, '')
    .slice(0, KEY_LENGTH)
    .toLowerCase();

/** Others live on the same disk: so much of it is never taken. */
const RESERVE_SHARE = 0.02;
const RESERVE_LEAST_BYTES = 32 * 1024 * 1024;

/** What a throw-away server may still take of the disk that `folder` is on; 0 and below: nothing. */
export async function roomIn(folder: string): Promise<number> {
  const found = await statfs(folder).catch(() => null);
  if (!found) return 0;
  return found.bavail * found.bsize - Math.max(RESERVE_LEAST_BYTES, found.blocks * found.bsize * RESERVE_SHARE);
}

/**
 * Room for a restored copy. The text once for the rows, once for indexes on wide columns and for sort files; and for each row its own cost in the heap and
 * in as many indexes as a table has on average, and one more, since the large tables have more. Narrow rows take most: 8 bytes of text become 58.
 */
export function neededBytesFor(dumpBytes: number, { tables, objects }: Pick<DumpFacts, 'tables' | 'objects'>): number {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const indexes = objects.filter(({ type }) => type === 'INDEX' || type === 'CONSTRAINT').length;
  const indexesPerTable = Math.ceil(indexes / Math.max(1, tables.length)) + 1;
  return FIXED_BYTES + 2 * dumpBytes + rows * ROW_BYTES * (1 + indexesPerTable);
}

const inMegabytes = (bytes: number): string => `${Math.ceil(bytes / (1024 * 1024))} MiB`;

export interface ThrowawayFolder {
  readonly path: string;
  readonly neededBytes: number;
  readonly freeBytes: number;
}

/**
 * An empty folder (0700) of the unprivileged user, on the first disk that has room for a restored copy.
 * @throws AppError NO_SPACE saying how much is needed
 */
export async function makeThrowawayFolder(
  workDirs: readonly string[],
  verificationId: string,
  neededBytes: number,
): Promise<ThrowawayFolder> {
  let mostFree = 0;
  for (const workDir of workDirs) {
    const freeBytes = await roomIn(workDir);
    mostFree = Math.max(mostFree, freeBytes);
    if (freeBytes < neededBytes) continue;
    const path = await mkdtemp(join(workDir, throwawayPrefix(verificationId)));
    await giveToUnprivileged(path);
    return { path, neededBytes, freeBytes };
  }
  throw new AppError(
    'NO_SPACE',
    `A full verification needs ${inMegabytes(neededBytes)} on the agent's machine for a restored copy, and ${workDirs.join(' and ')} have ${inMegabytes(mostFree)} at most. Free some space, or verify at level DATABASE.`,
    { neededBytes, freeBytes: mostFree },
  );
}

/**
 * Removes a throw-away folder. Its owner removes it first, so that nothing in it can lead a privileged hand elsewhere; what the owner cannot (such
 * as folders without rights) is removed by us, and only when `isDeserted`: no process of its server can be alive. May run twice.
 * @returns whether it is gone
 */
export async function removeThrowawayFolder(path: string, isDeserted: boolean): Promise<boolean> {
  const command = { binary: '/bin/rm', args: ['-rf', '--', path], env: { LC_ALL: 'C' }, cwd: '/' };
  await outputOf(asUnprivileged(command), AbortSignal.timeout(REMOVE_TIMEOUT_MS));
  // Its owner may not be allowed to take it out of the folder that it is in. Only an empty folder goes so, and nothing that a link names.
  await rmdir(path).catch(() => undefined);
  if (isDeserted && existsSync(path)) await rm(path, { recursive: true, force: true, maxRetries: 5 }).catch(() => undefined);
  return !existsSync(path);
}

/**
 * Removes what the throw-away server of a verification left when this program was killed; as its owner only, since it is not known any more
 * whether all its processes have ended. May run twice. @returns the folders that are gone
 */
export async function removeThrowawayLeftovers(
  verificationId: string,
  workDirs: readonly string[] = THROWAWAY_WORK_DIRS,
): Promise<readonly string[]> {
  const prefix = throwawayPrefix(verificationId);
  const removed: string[] = [];
  for (const workDir of workDirs) {
    const names = await readdir(workDir).catch(() => []);
    for (const path of names.filter((name) => name.startsWith(prefix)).map((name) => join(workDir, name)))
      if (await removeThrowawayFolder(path, false)) removed.push(path);
  }
  return removed;
}
