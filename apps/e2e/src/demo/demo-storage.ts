import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { CreateStorageDto } from '@rahatback/contracts';
import { startRgw } from '@rahatback/testing';

const BUCKET = 'rahatback-demo';

export interface DemoStorage {
  readonly create: CreateStorageDto;
  stop(): Promise<void>;
}

/** The server's own disk, or a private, real S3 server with one bucket. */
export async function openDemoStorage(s3: boolean): Promise<DemoStorage> {
  if (!s3) return { create: { storageType: 'local', name: 'Server disk', isDefault: true }, stop: () => Promise.resolve() };
  const server = await startRgw();
  const { endpoint, accessKeyId, secretAccessKey } = server;
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  client.destroy();
  return {
    create: {
      storageType: 's3',
      name: 'Private S3 server',
      isDefault: true,
      s3Endpoint: endpoint,
      s3Region: 'us-east-1',
      s3Bucket: BUCKET,
      s3AccessKeyId: accessKeyId,
      s3SecretAccessKey: secretAccessKey,
      s3ForcePathStyle: true,
    },
    stop: () => server.stop(),
  };
}
