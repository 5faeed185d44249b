import { AppError } from '@rahatback/contracts';
import type { BackupSource } from '@rahatback/storage/agent';
import { MANIFEST_MAX_BYTES, parseManifest, type Manifest } from '@rahatback/backup-core';
import { buffer } from 'node:stream/consumers';
import { MANIFEST, type FoundBackup, type PlaceFiles } from './backup-place.js';

export interface ChosenBackup {
  readonly source: BackupSource;
  readonly backupId: string;
  readonly agentId: string;
  /** Where the backups stand that it points into. */
  readonly links: ReadonlyMap<string, BackupSource>;
}

const SHOWN = 10;
const BACKUP_AND_FENCE = 2;

const backupIdOf = ({ folder }: FoundBackup): string => folder.split('/').at(-2) ?? '';
const fenceOf = ({ folder }: FoundBackup): number => Number(folder.split('/').at(-1));

async function collect(found: AsyncIterable<FoundBackup>): Promise<FoundBackup[]> {
  const all: FoundBackup[] = [];
  for await (const backup of found) all.push(backup);
  return all;
}

const newestFence = (found: readonly FoundBackup[]): FoundBackup | undefined =>
  [...found].sort((a, b) => fenceOf(b) - fenceOf(a))[0];

const listed = (found: readonly FoundBackup[]): string =>
  [...found]
    .sort((a, b) => b.modifiedAt.getTime() - a.modifiedAt.getTime())
    .slice(0, SHOWN)
    .map((backup) => `\n  ${backupIdOf(backup)}  ${backup.modifiedAt.toISOString()}`)
    .join('');

function pick(found: readonly FoundBackup[], wanted: string | null, place: string): FoundBackup {
  const ids = new Set(found.map(backupIdOf));
  const chosen = newestFence(
    wanted === null && ids.size > 1 ? [] : found.filter((backup) => wanted === null || backupIdOf(backup) === wanted),
  );
  if (chosen !== undefined) return chosen;
  if (found.length === 0) throw new AppError('OBJECT_MISSING', `There is no backup at ${place}: no ${MANIFEST} was found.`);
  const what =
    wanted === null ? `${place} holds ${ids.size} backups: choose one with --backup` : `There is no backup ${wanted} at ${place}`;
  throw new AppError('VALIDATION', `${what}. Newest first:${listed(found)}`);
}

async function manifestAt(source: BackupSource): Promise<Manifest> {
  const { sizeBytes } = await source.stat(MANIFEST);
  if (sizeBytes > MANIFEST_MAX_BYTES)
    throw new AppError('MANIFEST_INVALID', `${MANIFEST} is too large to be one: use another copy.`);
  return parseManifest(await buffer(await source.read(MANIFEST)));
}

/** A chain's links stand beside a backup, below the same database. */
async function linksOf(
  manifest: Manifest,
  place: { files: PlaceFiles; folder: string } | undefined,
): Promise<Map<string, BackupSource>> {
  const links = new Map<string, BackupSource>();
  for (const backupId of manifest.chain.links) {
    const database = place?.folder.split('/').slice(0, -BACKUP_AND_FENCE) ?? [];
    const found = place && newestFence(await collect(place.files.attempts([...database, backupId].join('/'))));
    if (place === undefined || found === undefined) {
      throw new AppError(
        'OBJECT_MISSING',
        `This backup points into backup ${backupId}, which is not beside it: get that one too.`,
      );
    }
    links.set(backupId, place.files.source(found.folder));
  }
  return links;
}

/**
 * The backup that `wanted` names, the one that stands right at the place, or the only one below it; with its chain.
 * @throws AppError VALIDATION listing what there is, OBJECT_MISSING
 */
export async function chooseBackup(files: PlaceFiles, wanted: string | null): Promise<ChosenBackup> {
  const isAttempt = await files.hasManifest();
  const above = isAttempt ? files.above(BACKUP_AND_FENCE) : undefined;
  const folder = isAttempt ? '' : pick(await collect(files.attempts('')), wanted, files.name).folder;
  const source = files.source(folder);
  const manifest = await manifestAt(source);
  if (wanted !== null && manifest.backupId !== wanted) {
    throw new AppError('VALIDATION', `${files.name} holds backup ${manifest.backupId}, not ${wanted}.`);
  }
  const place = isAttempt ? above && { files: above.files, folder: above.path } : { files, folder };
  return { source, backupId: manifest.backupId, agentId: manifest.agentId, links: await linksOf(manifest, place) };
}
