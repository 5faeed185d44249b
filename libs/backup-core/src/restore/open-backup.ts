import { AppError } from '@rahatback/contracts';
import { commitsTo, CryptoError, type KeysFile } from '@rahatback/crypto';
import type { BackupSource } from '@rahatback/storage/agent';
import type { DumpFacts } from '../dump/dump-facts.js';
import type { FrameLocation, IndexEnd, IndexHeader } from '../index/index-format.js';
import { FactsAssembler, readIndex, type IndexLine } from '../index/index-reader.js';
import type { Manifest } from '../manifest/manifest.js';
import { MANIFEST_MAX_BYTES, parseManifest } from '../manifest/parse-manifest.js';
import { verifyManifest, type TrustedKeys } from '../manifest/sign-manifest.js';
import type { ObjectRecord } from '../volumes/encrypted-object.js';
import { INDEX_OBJECT, keysObject, MANIFEST_OBJECT, objectAssociatedData } from '../volumes/object-context.js';
import { atObject } from './at-object.js';
import { readKeys, readSmall } from './read-keys.js';
import { assertStoredSize, VolumeReader } from './volume-reader.js';

export interface BackupToOpen {
  readonly source: BackupSource;
  /** Which backup must be found there; null takes what is there (a folder given by a person). */
  readonly backupId: string | null;
  /** Pinned keys of the agent that the manifest names. @throws to refuse an unknown one */
  readonly trust: (agentId: string) => TrustedKeys;
  /** The data key out of a keys file: openWithAgentKey, openWithAgeIdentity, openWithPassphrase, … */
  readonly unlock: (keys: KeysFile) => Promise<Buffer>;
}

/** One backup whose manifest is trusted and whose key is known; its data is not yet read. */
export class OpenLink {
  constructor(
    readonly manifest: Manifest,
    readonly dek: Buffer,
    private readonly source: BackupSource,
  ) {}

  /** A reader of one volume (from 1) or of the index (0). @throws AppError DATA_CORRUPT for a volume that the manifest does not have */
  reader(volume: number): VolumeReader {
    const { manifest, source, dek } = this;
    const record: ObjectRecord | undefined = volume === 0 ? manifest.index : manifest.volumes[volume - 1];
    const { backupId } = manifest;
    if (!record) throw new AppError('DATA_CORRUPT', `The index names volume ${volume}, which backup ${backupId} does not have.`);
    const associatedData = objectAssociatedData(manifest, record.name, volume);
    return new VolumeReader({ backupId, source, record, key: dek, associatedData });
  }

  /** The same backup with its objects read through something else. */
  via(decorate: (source: BackupSource) => BackupSource): OpenLink {
    return new OpenLink(this.manifest, this.dek, decorate(this.source));
  }

  /**
   * That index and volumes stand in the store with their sizes; reads none of their bytes. @returns the store's stamps of them, by name
   * @throws AppError OBJECT_MISSING, DATA_TRUNCATED
   */
  async assertStored(): Promise<ReadonlyMap<string, string | undefined>> {
    const { backupId, index, volumes } = this.manifest;
    const stamps = new Map<string, string | undefined>();
    for (const record of [index, ...volumes]) {
      try {
        stamps.set(record.name, (await assertStoredSize(this.source, record)).stamp);
      } catch (error) {
        throw atObject(error, { backupId, object: record.name });
      }
    }
    return stamps;
  }

  /** The lines of the index, checked to be this backup's and whole. */
  async *index(): AsyncGenerator<IndexLine> {
    const reader = this.reader(0);
    try {
      for await (const line of readIndex(reader.all())) {
        if (line.kind === 'header') this.assertOwn(line.header);
        if (line.kind === 'end' && line.end.bytes !== this.manifest.dumpBytes) throw this.mismatch();
        yield line;
      }
    } catch (error) {
      throw atObject(error, { backupId: this.manifest.backupId, object: INDEX_OBJECT });
    } finally {
      reader.close();
    }
  }

  private assertOwn({ backup, links }: IndexHeader): void {
    const own = backup === this.manifest.backupId && links.join('\n') === this.manifest.chain.links.join('\n');
    if (!own) throw this.mismatch();
  }

  private mismatch(): AppError {
    return new AppError(
      'DATA_CORRUPT',
      `The index and the manifest of backup ${this.manifest.backupId} do not fit each other. Use another copy.`,
    );
  }
}

type ManifestToOpen = Pick<BackupToOpen, 'source' | 'backupId' | 'trust'>;

async function openManifest({ source, backupId, trust }: ManifestToOpen): Promise<Manifest> {
  try {
    const manifest = parseManifest(await readSmall(source, MANIFEST_OBJECT, MANIFEST_MAX_BYTES));
    verifyManifest(manifest, trust(manifest.agentId));
    if (backupId === null || manifest.backupId === backupId) return manifest;
    throw new AppError(
      'MANIFEST_INVALID',
      `The manifest is that of backup ${manifest.backupId}, not of ${backupId}. Look for the right folder.`,
    );
  } catch (error) {
    throw atObject(error, { backupId, object: MANIFEST_OBJECT });
  }
}

/**
 * Reads and checks manifest and keys: format, signatures, that the key is the chain's. Nothing is decrypted with a wrong key.
 * @throws AppError MANIFEST_INVALID, FORMAT_UNSUPPORTED, KEYS_INVALID, WRONG_KEY, OBJECT_MISSING, naming backup and object
 */
export async function openLink(request: BackupToOpen): Promise<OpenLink> {
  const manifest = await openManifest(request);
  const { backupId } = manifest;
  const keys = await readKeys(request.source, backupId);
  try {
    assertKeysFit(keys, manifest);
    const dek = await request.unlock(keys);
    if (!commitsTo(manifest.commitment, dek, keys)) {
      throw new AppError('WRONG_KEY', `This key does not open backup ${backupId}. Nothing was written.`);
    }
    return new OpenLink(manifest, dek, request.source);
  } catch (error) {
    throw atObject(error, { backupId, object: keysObject(keys.generation) });
  }
}

function assertKeysFit(keys: KeysFile, { workspaceId, databaseId, backupId, chain }: Manifest): void {
  const fits =
    keys.workspace === workspaceId && keys.database === databaseId && keys.backupId === backupId && keys.chainId === chain.id;
  if (fits) return;
  throw new CryptoError(
    'KEYS_INVALID',
    `The keys file is that of backup ${keys.backupId}, not of ${backupId}. Look for the right one.`,
  );
}

/** A backup with everything it points into, ready to be read. */
export interface OpenBackup {
  readonly link: OpenLink;
  /** In the order of the index: number n there is `links[n - 1]` here; null for those that it points to no chunk of, which need not be there. */
  readonly links: readonly (OpenLink | null)[];
  /** Volumes of those links that it points into, by the link's number. */
  readonly linkVolumes: ReadonlyMap<number, ReadonlySet<number>>;
  readonly facts: DumpFacts;
  readonly end: IndexEnd;
}

/** Number n of the index: 0 is the backup itself. */
export function linkAt({ link, links }: Pick<OpenBackup, 'link' | 'links'>, number: number): OpenLink {
  const found = number === 0 ? link : links[number - 1];
  if (found) return found;
  throw new AppError(
    'DATA_CORRUPT',
    `The index points into link ${number}, which it did not when it was opened. Use another copy.`,
  );
}

export interface ChainToOpen extends BackupToOpen {
  /** Where each backup stands that this one points into. @throws AppError OBJECT_MISSING */
  readonly linkSource?: (backupId: string) => BackupSource;
}

/**
 * Opens a backup and the links that it points into, and reads its index once. Of those links only manifest and volumes are needed: the backup's
 * own keys file opens the whole chain. @throws as `openLink`; AppError DATA_CORRUPT, DATA_TRUNCATED, naming backup and object
 */
export async function openBackup(request: ChainToOpen): Promise<OpenBackup> {
  const link = await openLink(request);
  const assembler = new FactsAssembler();
  const pointedTo = new Map<number, Set<number>>();
  let end: IndexEnd | null = null;
  for await (const line of link.index()) {
    if (line.kind === 'run') notePlace(pointedTo, line.run.frame);
    if (line.kind === 'facts') assembler.add(line.part);
    if (line.kind === 'end') end = line.end;
  }
  if (!end) throw new AppError('DATA_CORRUPT', 'The index has no end. Use another copy of this backup.');
  const links: (OpenLink | null)[] = [];
  for (const [position, backupId] of link.manifest.chain.links.entries()) {
    links.push(pointedTo.has(position + 1) ? await openPart(request, link, backupId) : null);
  }
  pointedTo.delete(0);
  return { link, links, linkVolumes: pointedTo, facts: assembler.facts(), end };
}

function notePlace(places: Map<number, Set<number>>, { backup, volume }: FrameLocation): void {
  const volumes = places.get(backup) ?? new Set<number>();
  places.set(backup, volumes.add(volume));
}

/** A link of the same chain, opened with the chain's key that is known already. */
async function openPart(
  { linkSource, trust }: ChainToOpen,
  { manifest: own, dek }: OpenLink,
  backupId: string,
): Promise<OpenLink> {
  const place = { backupId, object: MANIFEST_OBJECT };
  try {
    if (!linkSource) throw new AppError('OBJECT_MISSING', `This backup points into backup ${backupId}: say where that one is.`);
    const source = linkSource(backupId);
    const manifest = await openManifest({ source, trust, backupId });
    assertSameChain(own, manifest);
    return new OpenLink(manifest, dek, source);
  } catch (error) {
    throw atObject(error, place);
  }
}

function assertSameChain(backup: Manifest, link: Manifest): void {
  const same =
    backup.chain.id === link.chain.id &&
    backup.workspaceId === link.workspaceId &&
    backup.databaseId === link.databaseId &&
    // Workspace, database and chain being the same, one commitment is one data key.
    backup.commitment === link.commitment;
  if (same) return;
  throw new AppError(
    'MANIFEST_INVALID',
    `Backup ${link.backupId} is not of the chain that backup ${backup.backupId} points into. Look for the right one.`,
  );
}
