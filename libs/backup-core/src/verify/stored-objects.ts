import type { AppError } from '@rahatback/contracts';
import { openBackup, openLink, type OpenBackup, type OpenLink } from '../restore/open-backup.js';
import { assertStoredSize } from '../restore/volume-reader.js';
import type { ObjectRecord } from '../volumes/encrypted-object.js';
import { atObject } from '../restore/at-object.js';
import { INDEX_OBJECT, MANIFEST_OBJECT, volumeObject } from '../volumes/object-context.js';
import { checksOf, listed, stopwatch } from './check-list.js';
import { backupOf, damageOf, evidenceOf, objectOf } from './damage.js';
import type { HashedSource } from './hashed-source.js';
import type { VerificationContext } from './verification-context.js';

/** Stored objects of one backup, and what was found to be wrong with them. */
export interface StoredGroup {
  readonly backupId: string;
  readonly source: HashedSource;
  readonly records: readonly ObjectRecord[];
  readonly damages: AppError[];
}

const sum = (groups: readonly StoredGroup[], of: (record: ObjectRecord) => number): number =>
  groups.reduce((total, { records }) => records.reduce((inner, record) => inner + of(record), total), 0);
const countOf = (groups: readonly StoredGroup[]): number => groups.reduce((total, { records }) => total + records.length, 0);

export const groupEvidence = (groups: readonly StoredGroup[]): Record<string, unknown> => ({
  objects: countOf(groups),
  storedBytes: sum(groups, ({ storedBytes }) => storedBytes),
  segments: sum(groups, ({ segments }) => segments),
});

export const damagedNames = (damages: readonly AppError[]): readonly string[] =>
  listed([...new Set(damages.map((damage) => objectOf(damage) ?? damage.message))]);

/** Judges `manifest` and `keys`. Null when one of them cannot be used: nothing else can be judged then. */
export async function checkManifestAndKeys({ request, checks, stored }: VerificationContext): Promise<OpenLink | null> {
  const took = stopwatch();
  try {
    const link = await openLink(stored.toOpen());
    const { manifest } = link;
    const { format, agentId, fence, type, dumpBytes, volumes, engine, suite } = manifest;
    const evidence = { format, agentId, fence, type, engine, dumpBytes, volumes: volumes.length };
    checks.passed('manifest', `Its signature is that of agent ${agentId}, its format is version ${format}.`, evidence, took());
    checks.passed('keys', 'The keys file opens, and the key is the one that the manifest is committed to.', { suite }, took());
    return link;
  } catch (error) {
    const damage = damageOf(error);
    const name = objectOf(damage) === MANIFEST_OBJECT ? 'manifest' : 'keys';
    if (name === 'keys') checks.passed('manifest', 'Its signature and its format are right.', {}, took());
    if (damage.code === 'FORMAT_UNSUPPORTED') checks.skipped(name, damage.message, evidenceOf(damage), took());
    else checks.failed(name, damage.message, evidenceOf(damage), took());
    checks.skipRest(checksOf(request.level), `It cannot be judged: the ${name} of the backup cannot be used.`);
    return null;
  }
}

/** Looks for each object and compares its size. */
async function lookAt(group: StoredGroup): Promise<void> {
  for (const record of group.records) {
    try {
      await assertStoredSize(group.source, record);
    } catch (error) {
      group.damages.push(damageOf(atObject(error, { backupId: group.backupId, object: record.name })));
    }
  }
}

/** Judges `objects`: the backup's own, by name and size. */
export async function checkObjects({ checks, stored }: VerificationContext, { manifest }: OpenLink): Promise<StoredGroup> {
  const took = stopwatch();
  const { backupId, index, volumes } = manifest;
  const group: StoredGroup = { backupId, source: stored.own, records: [index, ...volumes], damages: [] };
  await lookAt(group);
  const [first] = group.damages;
  const evidence = groupEvidence([group]);
  if (first) {
    const damaged = damagedNames(group.damages);
    checks.failed('objects', first.message, { ...evidence, damaged, ...evidenceOf(first) }, took());
  } else checks.passed('objects', `All ${group.records.length} objects stand in the storage with their sizes.`, evidence, took());
  return group;
}

export type Opening = { readonly backup: OpenBackup } | { readonly damage: AppError; readonly ofLink: boolean };

/** Reads the index and the manifests of the links. */
export async function openChain({ stored }: VerificationContext, own: OpenLink): Promise<Opening> {
  try {
    return { backup: await openBackup(stored.toOpen()) };
  } catch (error) {
    const damage = damageOf(error);
    return { damage, ofLink: (backupOf(damage) ?? own.manifest.backupId) !== own.manifest.backupId };
  }
}

/** The volumes of other backups that this one points into, each looked for. */
export async function lookAtLinks({ stored }: VerificationContext, backup: OpenBackup): Promise<readonly StoredGroup[]> {
  const groups: StoredGroup[] = [];
  for (const [position, link] of backup.links.entries()) {
    if (!link) continue;
    const { backupId, volumes } = link.manifest;
    const wanted = new Set([...(backup.linkVolumes.get(position + 1) ?? [])].map(volumeObject));
    const records = volumes.filter(({ name }) => wanted.has(name));
    const group: StoredGroup = { backupId, source: stored.link(backupId), records, damages: [] };
    await lookAt(group);
    groups.push(group);
  }
  return groups;
}

/** The bytes of each object that stands there against the manifest; what the dump's reading has not fetched is fetched now. */
export async function compareHashes(group: StoredGroup, signal: AbortSignal): Promise<readonly string[]> {
  const differing: string[] = [];
  const gone = new Set(group.damages.map(objectOf));
  for (const record of group.records) {
    signal.throwIfAborted();
    if (gone.has(record.name)) continue;
    if ((await group.source.sha256Of(record)) !== record.sha256) differing.push(record.name);
  }
  return differing;
}

/** Whether the index can be read at all. */
export const indexStands = ({ damages }: StoredGroup): boolean => !damages.some((damage) => objectOf(damage) === INDEX_OBJECT);
