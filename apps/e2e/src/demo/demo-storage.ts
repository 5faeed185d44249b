import type { CreateStorageDto } from '@rahatback/contracts';
import { startRgw } from '@rahatback/testing';

export interface DemoStorage {
  readonly create: CreateStorageDto;
  stop(): Promise<void>;
}

/** The server's own disk, or a private, real S3 server with one bucket. */
export async function openDemoStorage(s3: boolean): Promise<DemoStorage> {
  if (!s3) return { create: { storageType: 'local', name: 'Server disk', isDefault: true }, stop: () => Promise.resolve() };
  const server = await startRgw();
  return {
    create: {
      storageType: 's3',
      name: 'Private S3 server',
      isDefault: true,
      s3Endpoint: server.endpoint,
      s3Region: server.region,
      s3Bucket: await server.createBucket('rahatback-demo'),
      s3AccessKeyId: server.accessKeyId,
      s3SecretAccessKey: server.secretAccessKey,
      s3ForcePathStyle: true,
    },
    stop: () => server.stop(),
  };
}
