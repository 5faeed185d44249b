import type { CreateStorageDto, StorageView } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { assertFolderName } from '@rahatback/storage';
import { assertReachableHost } from './reachable-host.js';
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
export async function checkStorage(dto: CreateStorageDto): Promise<CheckedStorage> {
  switch (dto.storageType) {
    case 'local':
      return { settings: localSettings(dto), credentials: null };
    case 's3':
      return { settings: await s3Settings(dto), credentials: s3Credentials(dto) };
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
  return { path: assertFolderName(dto.path ?? DEFAULT_LOCAL_PATH) };
}

async function s3Settings(dto: CreateStorageDto): Promise<StorageSettings> {
  const missing: Record<string, string> = {};
  if (dto.s3Bucket === undefined) missing['s3Bucket'] = 's3Bucket is missing';
  if (dto.s3AccessKeyId === undefined) missing['s3AccessKeyId'] = 's3AccessKeyId is missing';
  if (dto.s3SecretAccessKey === undefined) missing['s3SecretAccessKey'] = 's3SecretAccessKey is missing';
  if (dto.s3Endpoint === undefined && dto.s3Region === undefined) missing['s3Endpoint'] = 's3Endpoint or s3Region is needed';
  if (dto.path !== undefined) missing['path'] = 'path belongs to local; an s3 storage has s3Prefix';
  if (Object.keys(missing).length > 0) {
    throw invalidFields(`Correct these fields and send again: ${Object.keys(missing).join(', ')}.`, missing);
  }
  const prefix = (dto.s3Prefix ?? '').replace(/^\/+|\/+$/g, '');
  if (prefix !== '') assertFolderName(prefix);
  if (dto.s3Endpoint !== undefined) await assertReachableHost(dto.s3Endpoint);
  return {
    bucket: dto.s3Bucket ?? '',
    prefix,
    ...(dto.s3Endpoint === undefined ? {} : { endpoint: dto.s3Endpoint }),
    ...(dto.s3Region === undefined ? {} : { region: dto.s3Region }),
    ...(dto.s3ForcePathStyle === undefined ? {} : { forcePathStyle: dto.s3ForcePathStyle }),
    ...(dto.s3StorageClass === undefined ? {} : { storageClass: dto.s3StorageClass }),
    ...(dto.s3Sse === undefined ? {} : { sse: dto.s3Sse }),
  };
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
  path: settings.path ?? null,
  s3Endpoint: settings.endpoint ?? null,
  s3Region: settings.region ?? null,
  s3Bucket: settings.bucket ?? null,
  s3Prefix: settings.prefix ?? null,
  s3ForcePathStyle: settings.forcePathStyle ?? settings.endpoint !== undefined,
  hasCredentials: row.credentials !== null,
  createdAt: row.createdAt.toISOString(),
});
