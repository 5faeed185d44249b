import { atObject } from '../restore/at-object.js';
import type { OpenLink } from '../restore/open-backup.js';
import type { ObjectRecord } from '../volumes/encrypted-object.js';
import type { SeenObjects } from './seen-objects.js';

export interface ObjectToRead {
  readonly backupId: string;
  readonly object: string;
  readonly storedBytes: number;
}

export interface AsWrittenCheck {
  /** Without it every byte is read. */
  readonly seen?: SeenObjects;
  /** Told before an object is read: it may be large. */
  readonly onReading?: (object: ObjectToRead) => void;
}

/**
 * That index and volumes of a link are in the store as they were written. What this agent has seen, and the store has not stamped anew since, is
 * taken as it is; anything else is read to its end. @throws AppError OBJECT_MISSING, DATA_TRUNCATED, DATA_CORRUPT naming backup, object and segment
 */
export async function assertAsWritten(link: OpenLink, { seen, onReading }: AsWrittenCheck): Promise<void> {
  const { backupId, index, volumes } = link.manifest;
  const stamps = await link.assertStored();
  for (const [number, record] of [index, ...volumes].entries()) {
    const stamp = stamps.get(record.name);
    if (stamp !== undefined && (await seen?.has(backupId, record, stamp))) continue;
    onReading?.({ backupId, object: record.name, storedBytes: record.storedBytes });
    await readThrough(link, number, record);
    if (stamp !== undefined) await seen?.note(backupId, record, stamp);
  }
}

/** Each segment is authenticated, so that one that is not as it was written is found and named. */
async function readThrough(link: OpenLink, number: number, { name }: ObjectRecord): Promise<void> {
  const reader = link.reader(number);
  try {
    for await (const plain of reader.all()) void plain;
  } catch (error) {
    throw atObject(error, { backupId: link.manifest.backupId, object: name });
  } finally {
    reader.close();
  }
}
