import type { CreateStorageDto, StorageView } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { assertFolderName } from '@rahatback/storage';
import type { OutboundGuard } from '../../platform/outbound/outbound-guard.js';
import { checkAgentPath } from './agent-folder.js';
import type { StorageCredentials } from './storage-credentials.js';
import type { StorageRow, StorageSettings } from './storage.entity.js';

export const DEFAULT_LOCAL_PATH = 'default';

export interface CheckedStorage {
  readonly settings: StorageSettings;
  readonly credentials: StorageCredentials | null;
}

const S3_FIELDS = [
  's3Endpoint',
  's3Region',
  's3Bucket',
  's3Prefix',
  's3AccessKeyId',
  's3SecretAccessKey',
  's3ForcePathStyle',
  's3StorageClass',
  's3Sse',
] as const satisfies readonly (keyof CreateStorageDto)[];

export const invalidFields = (sentence: string, fields: Record<string, string>): AppError =>
  new AppError('VALIDATION', sentence, {
    fields: Object.fromEntries(Object.entries(fields).map(([field, message]) => [field, [message]])),
  });

/**
 * What a request says about a storage, checked as far as it can be without touching it.
 * @throws AppError VALIDATION, PATH_FORBIDDEN, HOST_FORBIDDEN
 */
export async function checkStorage(dto: CreateStorageDto, outbound: OutboundGuard): Promise<CheckedStorage> {
  switch (dto.storageType) {
    case 'local':
      return { settings: localSettings(dto), credentials: null };
    case 's3':
      return { settings: await s3Settings(dto, outbound), credentials: s3Credentials(dto) };
    case 'google_drive':
      throw invalidFields('Google Drive cannot be used as a storage yet. Choose local or s3.', {
        storageType: 'storageType must be local or s3',
      });
  }
}

function localSettings(dto: CreateStorageDto): StorageSettings {
  const foreign = S3_FIELDS.filter((field) => dto[field] !== undefined);
  if (foreign.length > 0) {
    throw invalidFields(
      `A local storage has no ${foreign.join(', ')}. Leave them out, or choose s3.`,
      Object.fromEntries(foreign.map((field) => [field, `${field} belongs to s3`])),
    );
  }
  if (dto.agentId === undefined) return { path: assertFolderName(dto.path ?? DEFAULT_LOCAL_PATH) };
  if (dto.path === undefined) {
    throw invalidFields("A storage on an agent's disk needs the folder there. Give path.", { path: 'path is missing' });
  }
  if (dto.isDefault === true) {
    throw invalidFields(
      "A folder on one agent's disk cannot be the default: databases of other agents cannot use it. Leave isDefault out.",
      { isDefault: "isDefault is not for an agent's disk" },
    );
  }
  return { path: checkAgentPath(dto.path), agentId: dto.agentId };
}

function assertS3Fields(dto: CreateStorageDto): void {
  const wrong: Record<string, string> = {};
  for (const field of ['s3Bucket', 's3AccessKeyId', 's3SecretAccessKey'] as const) {
    if (dto[field] === undefined) wrong[field] = `${field} is missing`;
  }
  if (dto.s3Endpoint === undefined && dto.s3Region === undefined) wrong['s3Endpoint'] = 's3Endpoint or s3Region is needed';
  if (dto.agentId !== undefined) wrong['agentId'] = 'agentId belongs to local';
  if (dto.path !== undefined) wrong['path'] = 'path belongs to local; an s3 storage has s3Prefix';
  if (Object.keys(wrong).length === 0) return;
  throw invalidFields(`Correct these fields and send again: ${Object.keys(wrong).join(', ')}.`, wrong);
}

async function s3Settings(dto: CreateStorageDto, outbound: OutboundGuard): Promise<StorageSettings> {
  assertS3Fields(dto);
  const prefix = (dto.s3Prefix ?? '').replace(/^\/+|\/+$/g, '');
  if (prefix !== '') assertFolderName(prefix);
  if (dto.s3Endpoint !== undefined) await outbound.assertUrl(dto.s3Endpoint);
  const optional = {
    endpoint: dto.s3Endpoint,
    region: dto.s3Region,
    forcePathStyle: dto.s3ForcePathStyle,
    storageClass: dto.s3StorageClass,
    sse: dto.s3Sse,
  };
  const given = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined));
  return { bucket: dto.s3Bucket ?? '', prefix, ...given };
}

const s3Credentials = (dto: CreateStorageDto): StorageCredentials => ({
  accessKeyId: dto.s3AccessKeyId ?? '',
  secretAccessKey: dto.s3SecretAccessKey ?? '',
});

export const toStorageView = ({ settings, ...row }: StorageRow): StorageView => ({
  id: row.id,
  storageType: row.storageType,
  name: row.name,
  isDefault: row.isDefault,
  place: row.storageType === 'local' ? (settings.agentId === undefined ? 'server' : 'agent') : null,
  agentId: settings.agentId ?? null,
  path: settings.path ?? null,
  s3Endpoint: settings.endpoint ?? null,
  s3Region: settings.region ?? null,
  s3Bucket: settings.bucket ?? null,
  s3Prefix: settings.prefix ?? null,
  s3ForcePathStyle: settings.forcePathStyle ?? settings.endpoint !== undefined,
  hasCredentials: row.credentials !== null,
  createdAt: row.createdAt.toISOString(),
});
