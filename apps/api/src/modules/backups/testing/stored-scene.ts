import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { StorageBackend } from '@rahatback/storage';
import { S3Backend } from '@rahatback/storage';
import type { PrivateS3 } from '@rahatback/testing';
import type { RunningApi } from '../../../testing/start-api.js';
import { BackupScene } from './backup-scene.js';

export type StorageKind = 'local' | 's3';

export interface S3Place {
  readonly s3: PrivateS3;
  readonly bucket: string;
  readonly prefix: string;
}

export const s3Storage = ({ s3, bucket, prefix }: S3Place) => ({
  storageType: 's3',
  name: 'Bucket',
  s3Endpoint: s3.endpoint,
  s3Region: s3.region,
  s3Bucket: bucket,
  s3Prefix: prefix,
  s3AccessKeyId: s3.accessKeyId,
  s3SecretAccessKey: s3.secretAccessKey,
  s3ForcePathStyle: true,
});

/** Somebody with the storage's keys or the disk, behind the server's back. Keys are relative to the storage. */
export interface Intruder {
  read(key: string): Promise<Buffer>;
  write(key: string, bytes: Buffer): Promise<void>;
  remove(key: string): Promise<void>;
  cut(key: string, sizeBytes: number): Promise<void>;
}

function onBackend(backend: StorageBackend): Intruder {
  const read = async (key: string): Promise<Buffer> => buffer(await backend.read(key));
  const write = async (key: string, bytes: Buffer): Promise<void> => {
    await backend.delete(key);
    await backend.putIfAbsent(key, bytes);
  };
  return {
    read,
    write,
    remove: (key) => backend.delete(key),
    cut: async (key, sizeBytes) => write(key, (await read(key)).subarray(0, sizeBytes)),
  };
}

function onDisk(folder: string, backend: StorageBackend): Intruder {
  return {
    read: async (key) => buffer(await backend.read(key)),
    write: async (key, bytes) => {
      await mkdir(dirname(join(folder, key)), { recursive: true, mode: 0o700 });
      await writeFile(join(folder, key), bytes, { mode: 0o600 });
    },
    remove: (key) => rm(join(folder, key)),
    cut: (key, sizeBytes) => truncate(join(folder, key), sizeBytes),
  };
}

export interface StoredScene {
  readonly scene: BackupScene;
  readonly intruder: Intruder;
  readonly place: S3Place | undefined;
}

export const intruderAt = ({ s3, bucket, prefix }: S3Place): Intruder =>
  onBackend(
    new S3Backend({
      endpoint: s3.endpoint,
      region: s3.region,
      accessKeyId: s3.accessKeyId,
      secretAccessKey: s3.secretAccessKey,
      bucket,
      prefix,
      forcePathStyle: true,
    }),
  );

/** A workspace whose jobs write to the server's disk or to a bucket of their own. */
export async function storedScene(api: RunningApi, kind: StorageKind, s3: PrivateS3 | undefined): Promise<StoredScene> {
  const scene = await BackupScene.create(api);
  if (kind === 'local' || s3 === undefined) {
    const folder = join(api.config.storageRoot, scene.owner.workspaceId, 'default');
    return { scene, intruder: onDisk(folder, await scene.backend()), place: undefined };
  }
  const place: S3Place = { s3, bucket: await s3.createBucket(), prefix: 'rahatback' };
  const { status, body } = await scene.call<{ id: string }>('POST', '/v1/storages', s3Storage(place));
  if (status !== 201) throw new Error(`The storage was answered with ${status}: ${JSON.stringify(body)}`);
  scene.storageId = body.id;
  return { scene, intruder: intruderAt(place), place };
}
