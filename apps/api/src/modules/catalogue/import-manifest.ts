import { AppError } from '@rahatback/contracts';
import {
  MANIFEST_MAX_BYTES,
  MANIFEST_OBJECT,
  parseManifest,
  serializeManifest,
  verifyManifest,
  type Manifest,
} from '@rahatback/backup-core/manifest';
import { CryptoError, parseKeysFile } from '@rahatback/crypto';
import type { ObjectStat, StorageBackend } from '@rahatback/storage';
import { sha256Hex } from '../backups/index.js';
import { readWhole } from './read-object.js';
import { isUuid, type StoredBackup } from './stored-backups.js';

/** Whom the recovery kit vouches for: nothing that lies in the storage is believed without it. */
export interface Signers {
  /** Agent id → Ed25519 public key, base64. */
  readonly agents: ReadonlyMap<string, string>;
  readonly serverPublicKey?: string;
}

export interface StoredObject {
  readonly object: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** A backup whose manifest is genuine, stands where it belongs, and whose objects are all there with their sizes. */
export interface GenuineBackup {
  readonly manifest: Manifest;
  readonly manifestKey: string;
  readonly manifestSha256: string;
  readonly storedBytes: number;
  /** Without the manifest. */
  readonly objects: readonly StoredObject[];
}

export interface StoredAttempt {
  readonly place: Pick<StoredBackup, 'workspaceId' | 'databaseId' | 'backupId'>;
  readonly fence: number;
  readonly objects: ReadonlyMap<string, ObjectStat>;
}

const KEYS = /^keys-[1-9][0-9]*\.json$/;
const KEYS_MAX_BYTES = 4 * 1024 * 1024;

const invalid = (sentence: string): AppError => new AppError('MANIFEST_INVALID', `The manifest is not trusted: ${sentence}.`);
const missing = (object: string): AppError =>
  new AppError('OBJECT_MISSING', `${object} is not in the storage. Put it back from a copy of the storage, then import again.`, {
    object,
  });

async function readManifest(
  backend: StorageBackend,
  { objects }: StoredAttempt,
): Promise<{ manifest: Manifest; bytes: Buffer; key: string }> {
  const stat = objects.get(MANIFEST_OBJECT);
  if (!stat) throw missing(MANIFEST_OBJECT);
  if (stat.sizeBytes > MANIFEST_MAX_BYTES) throw invalid('it is too large to be one');
  const bytes = await readWhole(backend, stat.key);
  if (bytes === null) throw missing(MANIFEST_OBJECT);
  const manifest = parseManifest(bytes);
  // The server writes one form only: another one was touched by somebody, whatever it means.
  if (!serializeManifest(manifest).equals(bytes)) throw invalid('it is not written as this product writes it');
  return { manifest, bytes, key: stat.key };
}

function verify(manifest: Manifest, { agents, serverPublicKey }: Signers): void {
  const agentPublicKey = agents.get(manifest.agentId);
  if (agentPublicKey === undefined) {
    throw invalid(
      `agent ${manifest.agentId}, which signed it, is not among the given keys. Give its key from the recovery kit to import it`,
    );
  }
  verifyManifest(manifest, { agentPublicKey, ...(serverPublicKey === undefined ? {} : { serverPublicKey }) });
}

/** A genuine manifest in the place of another backup is a replay: every id of the path is signed. */
function assertInPlace(manifest: Manifest, { place, fence }: StoredAttempt): void {
  const pairs: readonly (readonly [name: string, signed: unknown, there: unknown])[] = [
    ['workspace', manifest.workspaceId, place.workspaceId],
    ['database', manifest.databaseId, place.databaseId],
    ['backup', manifest.backupId, place.backupId],
    ['fence', manifest.fence, fence],
  ];
  for (const [name, signed, there] of pairs)
    if (signed !== there) throw invalid(`it is that of another ${name} and stands in a strange place`);
  if (!isUuid(manifest.agentId) || !isUuid(manifest.chain.id) || !manifest.chain.links.every(isUuid))
    throw invalid('an id is none');
  if (manifest.type !== 'full' && manifest.chain.links.length === 0) throw invalid('it builds on nothing and is no full backup');
}

function dataObjects(manifest: Manifest, stored: StoredAttempt['objects']): StoredObject[] {
  return [...manifest.volumes, manifest.index].map(({ name, storedBytes, sha256 }) => {
    const stat = stored.get(name);
    if (!stat) throw missing(name);
    if (stat.sizeBytes === storedBytes) return { object: name, sizeBytes: storedBytes, sha256 };
    throw new AppError('DATA_CORRUPT', `${name} has ${stat.sizeBytes} bytes and should have ${storedBytes}. Use another copy.`, {
      object: name,
    });
  });
}

const fits = (bytes: Buffer, name: string, manifest: Manifest): boolean => {
  try {
    const file = parseKeysFile(bytes);
    return (
      name === `keys-${file.generation}.json` &&
      file.workspace === manifest.workspaceId &&
      file.database === manifest.databaseId &&
      file.backupId === manifest.backupId &&
      file.chainId === manifest.chain.id &&
      file.commitment === manifest.commitment
    );
  } catch (error) {
    if (error instanceof CryptoError) return false;
    throw error;
  }
};

/** Those keys files that are this backup's. No keys, no backup. */
async function keyObjects(
  backend: StorageBackend,
  manifest: Manifest,
  stored: StoredAttempt['objects'],
): Promise<StoredObject[]> {
  const found: StoredObject[] = [];
  const names = [...stored.keys()].filter((name) => KEYS.test(name));
  for (const object of names) {
    const stat = stored.get(object);
    if (!stat || stat.sizeBytes > KEYS_MAX_BYTES) continue;
    const bytes = await readWhole(backend, stat.key);
    if (bytes !== null && fits(bytes, object, manifest))
      found.push({ object, sizeBytes: bytes.length, sha256: sha256Hex(bytes) });
  }
  if (names.length === 0) throw missing('keys-1.json');
  if (found.length > 0) return found;
  throw new AppError('KEYS_INVALID', `${names.join(', ')} cannot be read as keys of this backup. Put it back from a copy.`);
}

/**
 * Believes nothing that the storage says of itself: signatures by the kit's keys, ids against the place, sizes against the manifest.
 * @throws AppError MANIFEST_INVALID, FORMAT_UNSUPPORTED, OBJECT_MISSING, DATA_CORRUPT, KEYS_INVALID
 */
export async function openGenuine(backend: StorageBackend, attempt: StoredAttempt, signers: Signers): Promise<GenuineBackup> {
  const { manifest, bytes, key } = await readManifest(backend, attempt);
  verify(manifest, signers);
  assertInPlace(manifest, attempt);
  const data = dataObjects(manifest, attempt.objects);
  const objects = [...data, ...(await keyObjects(backend, manifest, attempt.objects))];
  return {
    manifest,
    manifestKey: key,
    manifestSha256: sha256Hex(bytes),
    storedBytes: objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, bytes.length),
    objects,
  };
}
