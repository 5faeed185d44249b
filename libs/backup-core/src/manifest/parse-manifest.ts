import { AppError, BACKUP_TYPES, COMPRESSIONS, DATABASE_TYPES } from '@rahatback/contracts';
import { ciphertextSize, CryptoError, segmentCount } from '@rahatback/crypto';
import type { ObjectRecord } from '../volumes/encrypted-object.js';
import { INDEX_OBJECT, volumeObject } from '../volumes/object-context.js';
import { ENCRYPTION_SUITE, FORMAT_VERSION, type Manifest } from './manifest.js';

/** What `publish` takes at most. 64 GiB a volume, 200 bytes a record: enough for 80 TB. */
export const MANIFEST_MAX_BYTES = 256 * 1024;

type Check = (value: unknown) => boolean;

/** Half of a surrogate pair has no canonical JSON, so nobody can have signed it. */
const text: Check = (value) =>
  typeof value === 'string' && value.length > 0 && value.length <= 200 && !/[\u0000-\u001f\p{Cs}]/u.test(value);
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const oneOf =
  (values: readonly string[]): Check =>
  (value) =>
    typeof value === 'string' && values.includes(value);
const base64 =
  (bytes: number): Check =>
  (value) =>
    typeof value === 'string' &&
    Buffer.from(value, 'base64').length === bytes &&
    Buffer.from(value, 'base64').toString('base64') === value;
const time: Check = (value) =>
  typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value) && !Number.isNaN(Date.parse(value));
const listOf =
  (check: Check, most: number): Check =>
  (value) =>
    Array.isArray(value) && value.length <= most && value.every(check);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** All members there and right, none besides. `?` at the end of a name: may be missing. */
const shape =
  (members: Readonly<Record<string, Check>>): Check =>
  (value) =>
    firstWrong(value, members) === null;

function firstWrong(value: unknown, members: Readonly<Record<string, Check>>): string | null {
  if (!isObject(value)) return '(it is no object)';
  const known = new Set<string>();
  for (const [name, check] of Object.entries(members)) {
    const optional = name.endsWith('?');
    const member = optional ? name.slice(0, -1) : name;
    known.add(member);
    if (!Object.hasOwn(value, member)) {
      if (!optional) return member;
    } else if (!check(value[member])) return member;
  }
  return Object.keys(value).find((name) => !known.has(name)) ?? null;
}

const isRecord =
  (name: (position: number) => string) =>
  (value: unknown, position: number): boolean => {
    const members = { name: oneOf([name(position)]), plainBytes: count, storedBytes: count, segments: count, sha256: sha256Hex };
    return shape(members)(value) && addsUp(value as ObjectRecord);
  };
const sha256Hex: Check = (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);

function addsUp({ plainBytes, storedBytes, segments }: ObjectRecord): boolean {
  try {
    return ciphertextSize(plainBytes) === storedBytes && segmentCount(storedBytes) === segments;
  } catch (error) {
    if (error instanceof CryptoError || error instanceof RangeError) return false;
    throw error;
  }
}

const isVolumes: Check = (value) => Array.isArray(value) && value.every(isRecord((position) => volumeObject(position + 1)));
const isIndex: Check = (value) => isRecord(() => INDEX_OBJECT)(value, 0);

const MEMBERS: Readonly<Record<string, Check>> = {
  format: (value) => value === FORMAT_VERSION,
  writer: text,
  backupId: text,
  workspaceId: text,
  databaseId: text,
  fence: count,
  agentId: text,
  engine: oneOf(DATABASE_TYPES),
  dumpFormat: text,
  serverVersion: text,
  tool: text,
  type: oneOf(BACKUP_TYPES),
  chain: shape({ id: text, links: listOf(text, 1000) }),
  compression: oneOf(COMPRESSIONS),
  suite: oneOf([ENCRYPTION_SUITE]),
  commitment: base64(32),
  volumes: isVolumes,
  index: isIndex,
  dumpBytes: count,
  startedAt: time,
  completedAt: time,
  signatures: shape({ agent: base64(64), 'server?': base64(64) }),
};

const invalid = (what: string): AppError =>
  new AppError('MANIFEST_INVALID', `The manifest ${what}. Do not restore it; use another backup.`);

/**
 * Reads a manifest strictly: every member of its format and none besides, sizes and segment counts that fit each other. Says nothing about
 * who signed it: see `verifyManifest`.
 * @throws AppError MANIFEST_INVALID, FORMAT_UNSUPPORTED
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  if (bytes.length > MANIFEST_MAX_BYTES) throw invalid(`is larger than ${MANIFEST_MAX_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw invalid('is cut short or not JSON');
  }
  const format = isObject(value) ? value.format : undefined;
  if (typeof format === 'number' && Number.isInteger(format) && format > FORMAT_VERSION) {
    throw new AppError(
      'FORMAT_UNSUPPORTED',
      `The backup was written in format ${format}; this program reads format ${FORMAT_VERSION}. Use a newer RahatBack.`,
      { format, supported: FORMAT_VERSION },
    );
  }
  const wrong = firstWrong(value, MEMBERS);
  if (wrong !== null) throw invalid(`has a wrong or unknown member: ${wrong}`);
  const manifest = value as Manifest;
  if (manifest.type === 'full' && manifest.chain.links.length > 0) throw invalid('of a full backup points into others');
  return manifest;
}
