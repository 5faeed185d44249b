import { PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3';
import { AppError } from '@rahatback/contracts';
import { startRgw, startS3FaultProxy } from '@rahatback/testing/s3';
import type { PrivateS3 } from '@rahatback/testing/s3';
import { S3Backend } from './s3-backend.js';
import type { S3BackendConfig } from './s3-config.js';

describe('what a wrong S3 setting answers', () => {
  let server: PrivateS3;
  let config: S3BackendConfig;
  beforeAll(async () => {
    server = await startRgw();
    config = { ...server, bucket: await server.createBucket() };
  }, 120_000);
  afterAll(() => server.stop());

  const probe = async (changed: Partial<S3BackendConfig>) => {
    const backend = new S3Backend({ ...config, ...changed });
    try {
      return (await backend.probe()).checks;
    } finally {
      backend.close();
    }
  };

  it.each<[string, Partial<S3BackendConfig>, string]>([
    ['a wrong secret', { secretAccessKey: 'wrong-secret-canary' }, 'S3_CREDENTIALS'],
    ['an unknown key', { accessKeyId: 'NOSUCHKEY' }, 'S3_CREDENTIALS'],
    ['a missing bucket', { bucket: 'no-such-bucket-here' }, 'S3_BUCKET'],
    ['a port where nobody listens', { endpoint: 'http://127.0.0.1:9' }, 'STORAGE_UNREACHABLE'],
    ['TLS to a server without', { endpoint: 'tls' }, 'STORAGE_PERMANENT'],
  ])('%s', async (_name, changed, expected) => {
    const endpoint = changed.endpoint === 'tls' ? server.endpoint.replace('http:', 'https:') : changed.endpoint;
    const checks = await probe({ ...changed, ...(endpoint ? { endpoint } : {}) });
    expect(checks).toHaveLength(1);
    expect(checks[0]).toMatchObject({ name: 'write', ok: false, code: expected });
    expect(JSON.stringify(checks)).not.toContain('canary');
  });

  it('a secret that is wrong is told apart even where no answer has a body', async () => {
    const backend = new S3Backend({ ...config, secretAccessKey: 'wrong' });
    await expect(backend.stat('any')).rejects.toMatchObject({ code: 'S3_CREDENTIALS' });
    backend.close();
  });

  it('a bucket that vanished is not an absent object', async () => {
    const backend = new S3Backend({ ...config, bucket: 'no-such-bucket-here' });
    await expect(backend.stat('any')).rejects.toMatchObject({ code: 'S3_BUCKET' });
    await expect(backend.list('').next()).rejects.toMatchObject({ code: 'S3_BUCKET' });
    backend.close();
  });

  it('a wrong region', async () => {
    const proxy = await startS3FaultProxy(server.endpoint);
    proxy.add({
      operation: ['HeadObject', 'GetObject', 'PutObject'],
      action: { kind: 'refuse', status: 301, code: 'PermanentRedirect' },
      times: Infinity,
    });
    expect(await probe({ endpoint: proxy.endpoint })).toMatchObject([{ name: 'write', ok: false, code: 'S3_REGION' }]);
    await proxy.stop();
  });

  it.each([
    [['s3:GetObject', 's3:ListBucket'], { write: 's3:PutObject', multipart: 's3:PutObject' }],
    [['s3:PutObject', 's3:GetObject', 's3:ListBucket'], { delete: 's3:DeleteObject' }],
    [
      ['s3:PutObject', 's3:GetObject', 's3:DeleteObject', 's3:ListBucketMultipartUploads', 's3:AbortMultipartUpload'],
      { list: 's3:ListBucket' },
    ],
  ])('a key that may only %j is told what it lacks', async (allowed, missing) => {
    const user = await server.createUser(`limited-${allowed.length}`);
    const bucket = await server.createBucket();
    const owner = new S3Client({ ...server, credentials: server, forcePathStyle: true });
    const resources = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
    const principal = { AWS: [`arn:aws:iam:::user/limited-${allowed.length}`] };
    const statement = { Effect: 'Allow', Principal: principal, Action: allowed, Resource: resources };
    await owner.send(
      new PutBucketPolicyCommand({ Bucket: bucket, Policy: JSON.stringify({ Version: '2012-10-17', Statement: [statement] }) }),
    );
    owner.destroy();
    const checks = await probe({ ...user, bucket });
    for (const [name, action] of Object.entries(missing)) {
      const failed = checks.find((check) => check.name === name);
      expect(failed).toMatchObject({ ok: false, code: 'S3_DENIED', message: expect.stringContaining(action) });
    }
  });

  it('refuses a prefix that is no folder', () => {
    for (const prefix of ['../other', 'a//b', 'a/../b', 'a\\b', 'a\nb', '.hidden']) {
      expect(() => new S3Backend({ ...config, prefix })).toThrow(AppError);
    }
  });
});
