import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DEFAULT_MIN_VERSION } from 'node:tls';
import { promisify } from 'node:util';
import { S3Backend } from '@rahatback/storage';
import { tempDir, testSecret } from '@rahatback/testing';
import type { TempDir } from '@rahatback/testing';
import { OutboundGuard } from './outbound-guard.js';

const run = promisify(execFile);

describe('TLS to hosts that people named', () => {
  let folder: TempDir;
  let server: Server;
  let requests = 0;
  beforeAll(async () => {
    folder = await tempDir('rahatback-tls-');
    const [key, cert] = [join(folder.path, 'key.pem'), join(folder.path, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-days', '2'];
    await run('openssl', [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      ...subject,
    ]);
    server = createServer({ key: await readFile(key), cert: await readFile(cert) }, (_request, response) => {
      requests += 1;
      response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    await new Promise((resolve) => (server.closeAllConnections(), server.close(resolve)));
    await folder.remove();
  });

  it('refuses a certificate that nobody vouches for, before anything is sent', async () => {
    const { port } = server.address() as AddressInfo;
    const backend = new S3Backend({
      endpoint: `https://127.0.0.1:${port}`,
      bucket: 'bucket',
      accessKeyId: 'key',
      secretAccessKey: testSecret('s3-secret'),
      agents: new OutboundGuard({ outboundAllow: ['127.0.0.1'] }).agents(),
    });
    await expect(backend.stat('a/b')).rejects.toMatchObject({
      code: 'STORAGE_PERMANENT',
      message: expect.stringMatching(/SELF_SIGNED.*valid certificate/),
    });
    backend.close();
    expect(requests).toBe(0);
    expect(DEFAULT_MIN_VERSION).toBe('TLSv1.2');
  });
});
