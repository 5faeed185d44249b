import type { ObjectStat } from '@rahatback/storage';

/** What lies in a storage under one backup's ids, by attempt. */
export interface StoredBackup {
  readonly workspaceId: string;
  readonly databaseId: string;
  readonly backupId: string;
  /** By fence, then by the object's name. */
  readonly attempts: ReadonlyMap<number, ReadonlyMap<string, ObjectStat>>;
}

/** An object whose name is none that a backup of ours has. */
export interface Stranger {
  readonly stranger: ObjectStat;
}

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const KEY = new RegExp(`^(${UUID})/(${UUID})/(${UUID})/([1-9][0-9]{0,14})/([^/]+)$`);

export const isUuid = (text: string): boolean => new RegExp(`^${UUID}$`).test(text);

/** Sorts as the keys of the storage do: ids are all of one length. */
export const orderOf = (backup: Pick<StoredBackup, 'workspaceId' | 'databaseId' | 'backupId'>): string =>
  `${backup.workspaceId}/${backup.databaseId}/${backup.backupId}`;

interface Place {
  readonly ids: Pick<StoredBackup, 'workspaceId' | 'databaseId' | 'backupId'>;
  readonly fence: number;
  readonly object: string;
}

function placeOf(key: string): Place | undefined {
  const [, workspaceId, databaseId, backupId, fence, object] = KEY.exec(key) ?? [];
  if (!workspaceId || !databaseId || !backupId || !object) return undefined;
  return { ids: { workspaceId, databaseId, backupId }, fence: Number(fence), object };
}

interface Open {
  readonly ids: Place['ids'];
  readonly attempts: Map<number, Map<string, ObjectStat>>;
}

/**
 * Groups a listing, ascending by key, into backups and strangers, in the order of the listing; holds one backup at a time.
 * Passes the listing's error on: what comes before it is no whole list.
 */
export async function* storedBackups(objects: AsyncIterable<ObjectStat>): AsyncGenerator<StoredBackup | Stranger> {
  let open: Open | undefined;
  for await (const stat of objects) {
    const place = placeOf(stat.key);
    if (place === undefined) {
      yield { stranger: stat };
      continue;
    }
    if (open === undefined || orderOf(open.ids) !== orderOf(place.ids)) {
      if (open) yield { ...open.ids, attempts: open.attempts };
      open = { ids: place.ids, attempts: new Map() };
    }
    const attempt: Map<string, ObjectStat> = open.attempts.get(place.fence) ?? new Map<string, ObjectStat>();
    open.attempts.set(place.fence, attempt.set(place.object, stat));
  }
  if (open) yield { ...open.ids, attempts: open.attempts };
}
