import { AppError } from '@rahatback/contracts';
import { newestReadableKeys, type KeysFile, type StoredKeysFile } from '@rahatback/crypto';
import type { BackupSource } from '@rahatback/storage/agent';
import { keysObject } from '../volumes/object-context.js';
import { atObject } from './at-object.js';

const MAX_KEYS_BYTES = 4 * 1024 * 1024;
/** A rotation may have removed the oldest generations; so many in a row are looked for. */
const MAX_GAP = 3;

/** A whole small object. @throws AppError OBJECT_MISSING, DATA_CORRUPT when it is larger than `maxBytes` */
export async function readSmall(source: BackupSource, object: string, maxBytes: number): Promise<Buffer> {
  const { sizeBytes } = await source.stat(object);
  if (sizeBytes > maxBytes)
    throw new AppError('DATA_CORRUPT', `${object} has ${sizeBytes} bytes, more than it can have. Use another copy.`);
  const parts: Buffer[] = [];
  for await (const bytes of await source.read(object)) parts.push(bytes as Buffer);
  return Buffer.concat(parts);
}

async function readIfThere(source: BackupSource, generation: number): Promise<StoredKeysFile | null> {
  try {
    return { generation, bytes: await readSmall(source, keysObject(generation), MAX_KEYS_BYTES) };
  } catch (error) {
    if (error instanceof AppError && error.code === 'OBJECT_MISSING') return null;
    throw error;
  }
}

/** The newest readable generation of a backup's keys. @throws AppError KEYS_INVALID, FORMAT_UNSUPPORTED, naming the newest file that there is */
export async function readKeys(source: BackupSource, backupId: string): Promise<KeysFile> {
  const files: StoredKeysFile[] = [];
  for (let generation = 1, gap = 0; gap < (files.length > 0 ? 1 : MAX_GAP); generation += 1) {
    const file = await readIfThere(source, generation);
    gap = file ? 0 : gap + 1;
    if (file) files.push(file);
  }
  try {
    return newestReadableKeys(files).keys;
  } catch (error) {
    throw atObject(error, { backupId, object: keysObject(files.at(-1)?.generation ?? 1) });
  }
}
