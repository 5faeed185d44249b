import { link, mkdir, open, stat, statfs, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { crashPoint, decryptTo, type OpenBackup } from '@rahatback/backup-core';
import { AppError } from '@rahatback/contracts';
import { folderError, PARTIAL_SUFFIX, syncFolder } from '@rahatback/storage/agent';
import type { AgentHome } from '../state/agent-home.js';
import { isMissing } from '../state/atomic-file.js';
import { readPolicy } from '../state/policy.js';

export interface ExportPlace {
  /** Where the dump will stand. */
  readonly path: string;
  /** Where it is written until then; named by the command, so that a restart finds it. */
  readonly temporary: string;
}

/** What is left free besides the file itself. */
const RESERVE_BYTES = 64 * 1024 * 1024;

/** @throws AppError PATH_FORBIDDEN for a name that is a path, or is hidden */
export async function exportPlace(
  home: Pick<AgentHome, 'policyFile' | 'exportsDir'>,
  { fileName, commandId }: { readonly fileName: string; readonly commandId: string },
): Promise<ExportPlace> {
  const isName = basename(fileName) === fileName && /^[^./\\][^/\\]{0,199}$/.test(fileName) && !/\p{Cc}/u.test(fileName);
  if (!isName) throw new AppError('PATH_FORBIDDEN', `${JSON.stringify(fileName)} is not a file name. Export again.`);
  const folder = (await readPolicy(home)).exportFolder ?? home.exportsDir;
  return { path: join(folder, fileName), temporary: join(folder, `.${commandId}${PARTIAL_SUFFIX}`) };
}

const alreadyThere = (path: string): AppError =>
  new AppError('OBJECT_EXISTS', `${path} exists already and is never overwritten. Move it away, then export again.`);

async function assertFree(path: string): Promise<void> {
  const isTaken = await stat(path).then(
    () => true,
    (error: unknown) => {
      if (isMissing(error)) return false;
      throw folderError(error, path);
    },
  );
  if (isTaken) throw alreadyThere(path);
}

/** @throws AppError NO_SPACE with both numbers */
async function assertRoom(folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes + RESERVE_BYTES) return;
  throw new AppError(
    'NO_SPACE',
    `The export needs ${neededBytes} bytes in ${folder}, where ${freeBytes} are free. Free some space, then export again.`,
    { neededBytes, freeBytes },
  );
}

/**
 * Writes the plain dump (0600) under its name, whole and durable, or not at all. The name appears when every chunk, the length and the SHA-256 of the
 * dump have been found right. @param onWritten awaited before the name appears
 * @throws AppError NO_SPACE, OBJECT_EXISTS, PATH_FORBIDDEN, DATA_CORRUPT and those of the source
 */
export async function exportDump(
  backup: OpenBackup,
  { path, temporary }: ExportPlace,
  { signal, onWritten }: { readonly signal: AbortSignal; readonly onWritten: () => Promise<void> },
): Promise<void> {
  const folder = join(path, '..');
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await assertFree(path);
    await assertRoom(folder, backup.end.bytes);
    const file = await open(temporary, 'wx', 0o600);
    await decryptTo(backup, file.createWriteStream({ flush: true }), signal);
    await onWritten();
    crashPoint('agent.export.before_name');
    await link(temporary, path);
    await syncFolder(folder);
    crashPoint('agent.export.after_name');
  } catch (error) {
    throw error instanceof AppError ? error : folderError(error, path);
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

/** Whether the whole dump stands under its name; what was not finished is removed. */
export async function settleExport({ path, temporary }: ExportPlace, sizeBytes: number | null): Promise<boolean> {
  await unlink(temporary).catch(() => undefined);
  const found = await stat(path).catch(() => null);
  return found !== null && found.size === sizeBytes;
}
