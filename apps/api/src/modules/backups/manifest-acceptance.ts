import { createHash } from 'node:crypto';
import { AppError } from '@rahatback/contracts';
import type { Manifest, ObjectRecord } from '@rahatback/backup-core/manifest';
import { counterSign, parseManifest, serializeManifest, verifyManifest } from '@rahatback/backup-core/manifest';
import type { ManifestFacts } from './backup-attempt.entity.js';
import type { BackupObjectRow } from './backup-object.entity.js';
import type { BackupRow } from './backup.entity.js';

/** What the server knows by itself of the attempt whose manifest it is shown. */
export interface Expectation {
  readonly backup: Pick<
    BackupRow,
    'id' | 'workspaceId' | 'databaseId' | 'agentId' | 'backupType' | 'compression' | 'chainId' | 'chainPosition' | 'baseBackupId'
  >;
  readonly fence: number;
  readonly objects: readonly Pick<BackupObjectRow, 'object' | 'state' | 'sizeBytes' | 'sha256'>[];
  /** The backups that the agent was given to build on. */
  readonly baseIds: readonly string[];
  /** base64, pinned when the agent was enrolled. */
  readonly signPublicKey: string;
  /** The volumes stay on the agent's disk: only its signature speaks for them. */
  readonly isOnAgent: boolean;
}

export interface AcceptedManifest {
  readonly manifest: Manifest;
  /** Counter-signed, as they go to the storage: the same manifest always gives the same bytes. */
  readonly bytes: Buffer;
  /** hex, of `bytes` */
  readonly sha256: string;
  readonly change: ManifestFacts;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const KEYS = /^keys-\d+\.json$/;

export const sha256Hex = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const invalid = (sentence: string): AppError =>
  new AppError('MANIFEST_INVALID', `The manifest is refused: ${sentence}. Run the backup again.`);

const checkIdentity = (manifest: Manifest, { backup, fence }: Expectation): void => {
  const pairs: readonly (readonly [name: string, told: unknown, known: unknown])[] = [
    ['backup', manifest.backupId, backup.id],
    ['workspace', manifest.workspaceId, backup.workspaceId],
    ['database', manifest.databaseId, backup.databaseId],
    ['agent', manifest.agentId, backup.agentId],
    ['fence', manifest.fence, fence],
    ['compression', manifest.compression, backup.compression],
  ];
  for (const [name, told, known] of pairs) if (told !== known) throw invalid(`it speaks of another ${name}`);
};

/** An agent may answer with a full, in a chain of its own, where it could not build on the chain; never the other way round. */
const checkChain = (manifest: Manifest, { backup, baseIds }: Expectation): void => {
  if (manifest.type !== backup.backupType && manifest.type !== 'full')
    throw invalid(`a ${backup.backupType} backup was asked for`);
  if (manifest.type === backup.backupType && manifest.chain.id !== backup.chainId) throw invalid('it belongs to another chain');
  if (!UUID.test(manifest.chain.id)) throw invalid('its chain has no proper id');
  const stranger = manifest.chain.links.find((link) => !baseIds.includes(link));
  if (stranger !== undefined) throw invalid('it points into a backup that it was not built on');
};

/** What the manifest claims to be stored is exactly what the server saw being stored: no more, no less, byte counts and digests equal. */
const checkObjects = (manifest: Manifest, { objects, isOnAgent }: Expectation): void => {
  const open = objects.find((row) => row.state === 'open');
  if (open !== undefined) throw invalid(`the upload of ${open.object} is not complete`);
  if (!objects.some((row) => KEYS.test(row.object))) throw invalid('the keys are not stored');
  if (isOnAgent) return;
  const claimed = new Map<string, ObjectRecord>([...manifest.volumes, manifest.index].map((record) => [record.name, record]));
  for (const row of objects.filter(({ object }) => !KEYS.test(object) && object !== 'manifest.json')) {
    const record = claimed.get(row.object);
    if (record === undefined) throw invalid(`it leaves out ${row.object}, which is stored`);
    if (record.storedBytes !== row.sizeBytes) throw invalid(`${row.object} is stored with another size`);
    if (record.sha256 !== row.sha256) throw invalid(`${row.object} is stored with another SHA-256`);
    claimed.delete(row.object);
  }
  const [missing] = claimed.keys();
  if (missing !== undefined) throw invalid(`${missing} is not stored`);
};

const changeOf = (
  manifest: Manifest,
  stored: { bytes: Buffer; sha256: string },
  { backup, objects, isOnAgent }: Expectation,
): ManifestFacts => {
  const isOwnFull = manifest.type === 'full' && manifest.chain.id !== backup.chainId;
  const volumeBytes = [...manifest.volumes, manifest.index].reduce((sum, record) => sum + record.storedBytes, 0);
  const major = /(\d+)(?:\.\d+)*\s*$/.exec(manifest.tool)?.[0].split('.')[0];
  return {
    manifestSha256: stored.sha256,
    sizeBytes: manifest.dumpBytes,
    storedBytes: objects.reduce((sum, row) => sum + (row.sizeBytes ?? 0), stored.bytes.length) + (isOnAgent ? volumeBytes : 0),
    serverVersion: manifest.serverVersion,
    toolMajor: major === undefined ? null : Number(major),
    backupType: manifest.type,
    chainId: manifest.chain.id,
    chainPosition: isOwnFull ? 1 : backup.chainPosition,
    baseBackupId: manifest.type === 'full' ? null : backup.baseBackupId,
  };
};

/**
 * Checks a manifest against what the server knows by itself and counter-signs it. Deterministic, so a repeated publication gives the same bytes.
 * @throws AppError MANIFEST_INVALID, FORMAT_UNSUPPORTED
 */
export const acceptManifest = (
  content: Uint8Array,
  expectation: Expectation,
  serverKey: { readonly privateKey: string },
): AcceptedManifest => {
  const manifest = parseManifest(content);
  verifyManifest(manifest, { agentPublicKey: expectation.signPublicKey });
  checkIdentity(manifest, expectation);
  checkChain(manifest, expectation);
  checkObjects(manifest, expectation);
  const bytes = serializeManifest(counterSign(manifest, serverKey.privateKey));
  const sha256 = sha256Hex(bytes);
  return { manifest, bytes, sha256, change: changeOf(manifest, { bytes, sha256 }, expectation) };
};
