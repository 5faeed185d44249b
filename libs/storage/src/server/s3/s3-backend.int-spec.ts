import { startRgw } from '@rahatback/testing/s3';
import { describeStorage } from '../../conformance/index.js';
import { S3Backend } from './s3-backend.js';

describeStorage('s3 on Ceph RGW', async () => {
  const server = await startRgw();
  const backend = new S3Backend({ ...server, bucket: await server.createBucket(), prefix: '/müşteri yedekleri/a+b/' });
  return {
    backend,
    async close() {
      backend.close();
      await server.stop();
    },
  };
});
