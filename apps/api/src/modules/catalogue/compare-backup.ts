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
}

export interface BackupToCompare {
  readonly backend: StorageBackend;
  /** Everything before the object's name. */
  readonly prefix: string;
  readonly expected: readonly ExpectedObject[];
  readonly listed: ReadonlyMap<string, ObjectStat>;
  /** Also read volumes, and indexes of any size. */
  readonly deep: boolean;
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

/** Whether an object's bytes are those that were stored. Null: they are. */
async function contentFinding(
  { backend, prefix, deep }: BackupToCompare,
  { object, sha256 }: ExpectedObject,
  sizeBytes: number,
): Promise<Finding | null> {
  const isSmall = !isVolume(object) && sizeBytes <= SMALL_BYTES;
  if (sha256 === null || !(deep || isSmall)) return null;
  const key = prefix + object;
  const bytes = isSmall ? await readWhole(backend, key) : null;
  const found = isSmall ? bytes && sha256Hex(bytes) : await sha256Of(backend, key);
  if (found === null) return missing(object);
  return found === sha256 ? null : altered(object, 'has other bytes than were stored', !isSmall);
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
  return contentFinding(compared, wanted, stat.sizeBytes);
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
