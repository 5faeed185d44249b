import { MANIFEST_MAX_BYTES, MANIFEST_OBJECT } from '@rahatback/backup-core/manifest';
import type { CatalogueDifference } from '@rahatback/contracts';
import type { ObjectStat, StorageBackend } from '@rahatback/storage';
import { sha256Hex } from '../backups/index.js';
import { readWhole, sha256Of } from './read-object.js';

export interface ExpectedObject {
  readonly object: string;
  /** Null: the history does not know it (a manifest's). */
  readonly sizeBytes: number | null;
  /** hex */
  readonly sha256: string | null;
  /** The storage's own, from when the bytes were known to be those; null: nobody has kept one. */
  readonly stamp: string | null;
}

export interface BackupToCompare {
  readonly backend: StorageBackend;
  /** Everything before the object's name. */
  readonly prefix: string;
  readonly expected: readonly ExpectedObject[];
  readonly listed: ReadonlyMap<string, ObjectStat>;
  /** Also read volumes, and indexes of any size, that the storage has not stamped anew. */
  readonly deep: boolean;
  /** Told of an object that was read, is as it was stored, and has another stamp now. */
  readonly onRestamped: (object: string, stamp: string) => void;
}

export interface Finding {
  readonly kind: Exclude<CatalogueDifference['kind'], 'orphaned'>;
  readonly object: string;
  readonly message: string;
  /** Found by reading what a shallow pass only measures. */
  readonly needsDeep: boolean;
}

/** Indexes up to this are always read and hashed. */
const SMALL_BYTES = 16 * 1024 * 1024;

const missing = (object: string): Finding => ({
  kind: 'missing',
  object,
  message: `${object} is not in the storage. Put it back from a copy of the storage; without it the backup cannot be restored.`,
  needsDeep: false,
});

const altered = (object: string, how: string, needsDeep = false): Finding => ({
  kind: 'altered',
  object,
  message: `${object} ${how}. Put the original back from a copy of the storage, or make a new backup.`,
  needsDeep,
});

const isVolume = (object: string): boolean => object.startsWith('data-');

/** The storage says itself that it was written since it was known to be what was stored. */
const isTouched = ({ stamp: known }: ExpectedObject, { stamp }: ObjectStat): boolean =>
  known !== null && stamp !== undefined && stamp !== known;

const isSmall = ({ object }: ExpectedObject, { sizeBytes }: ObjectStat): boolean => !isVolume(object) && sizeBytes <= SMALL_BYTES;

/** SHA-256 (hex) of what is stored now; null: it is gone. */
async function storedSha256({ backend, prefix }: BackupToCompare, object: string, inMemory: boolean): Promise<string | null> {
  if (!inMemory) return sha256Of(backend, prefix + object);
  const bytes = await readWhole(backend, prefix + object);
  return bytes && sha256Hex(bytes);
}

/** Whether an object's bytes are those that were stored. Null: they are. */
async function contentFinding(compared: BackupToCompare, wanted: ExpectedObject, stat: ObjectStat): Promise<Finding | null> {
  const { object, sha256, stamp: known } = wanted;
  const isShallow = isSmall(wanted, stat) || isTouched(wanted, stat);
  if (sha256 === null || !(compared.deep || isShallow)) return null;
  const found = await storedSha256(compared, object, isSmall(wanted, stat));
  if (found === null) return missing(object);
  if (found !== sha256) return altered(object, 'has other bytes than were stored', !isShallow);
  if (stat.stamp !== undefined && stat.stamp !== known) compared.onRestamped(object, stat.stamp);
  return null;
}

async function findingOf(compared: BackupToCompare, wanted: ExpectedObject): Promise<Finding | null> {
  const { object, sizeBytes } = wanted;
  // What a listing leaves out may have been published since it passed there.
  const stat = compared.listed.get(object) ?? (await compared.backend.stat(compared.prefix + object));
  if (!stat) return missing(object);
  if (sizeBytes !== null && stat.sizeBytes !== sizeBytes) {
    return altered(object, `has ${stat.sizeBytes} bytes and should have ${sizeBytes}`);
  }
  if (object === MANIFEST_OBJECT && stat.sizeBytes > MANIFEST_MAX_BYTES) return altered(object, 'is too large to be a manifest');
  return contentFinding(compared, wanted, stat);
}

/** What is wrong with a backup's own objects, at most one finding an object. Reads one volume at a time. @throws what the storage says */
export async function compareBackup(compared: BackupToCompare): Promise<Finding[]> {
  const volumes = compared.expected.filter(({ object }) => isVolume(object));
  const small = compared.expected.filter(({ object }) => !isVolume(object));
  const findings = await Promise.all(small.map((wanted) => findingOf(compared, wanted)));
  for (const wanted of volumes) findings.push(await findingOf(compared, wanted));
  return findings.filter((finding) => finding !== null);
}

const SHALLOW = 'The storage check found ';
const DEEP = 'The deep storage check found ';
const NAMED = 3;

/** The sentence that a damaged backup is shown with. */
export function damageOf(findings: readonly Finding[]): string {
  const named = findings.slice(0, NAMED).map(({ object, kind }) => `${object} ${kind}`);
  const more = findings.length > NAMED ? ` and ${findings.length - NAMED} more` : '';
  const head = findings.some(({ needsDeep }) => needsDeep) ? DEEP : SHALLOW;
  return `${head}${named.join(', ')}${more}. Put the original back from a copy of the storage, or make a new backup.`;
}

/**
 * What a backup's damage is after a check; undefined: leave it. A check takes back only what a check of its depth has said: what a deep one or
 * a verification found, a shallow one cannot see.
 */
export function damageAfter(before: string | null, findings: readonly Finding[], deep: boolean): string | null | undefined {
  const isOurs = before === null || before.startsWith(SHALLOW) || (deep && before.startsWith(DEEP));
  if (!isOurs) return undefined;
  const after = findings.length === 0 ? null : damageOf(findings);
  return after === before ? undefined : after;
}
