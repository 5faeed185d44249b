import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { AppError } from '@rahatback/contracts';
import { LocalBackend } from '../server/local/local-backend.js';
import type { LocalPartPayload, LocalReadPayload, LocalUrlSigner } from '../server/local/local-backend.js';

/** Serves a LocalBackend's signed URLs as the API does, in the fewest lines: for tests of the driver and of the agent's sink. */
export interface LocalUrlServer {
  readonly backend: LocalBackend;
  close(): Promise<void>;
}

type Payload = ({ readonly use: 'part' } & LocalPartPayload) | ({ readonly use: 'read' } & LocalReadPayload);

const encode = (payload: Payload): string => Buffer.from(JSON.stringify(payload)).toString('base64url');

class HmacSigner implements LocalUrlSigner {
  readonly #key = randomBytes(32);
  origin = '';

  signPart(payload: LocalPartPayload): Promise<{ url: string }> {
    return this.#url({ use: 'part', ...payload });
  }

  signRead(payload: LocalReadPayload): Promise<{ url: string }> {
    return this.#url({ use: 'read', ...payload });
  }

  open(url: string): Payload {
    const [text = '', mac = ''] = url.slice(1).split('.');
    const given = Buffer.from(mac, 'hex');
    const expected = this.#mac(text);
    if (given.length !== expected.length || !timingSafeEqual(given, expected))
      throw new AppError('FORBIDDEN', 'This URL was not signed here.');
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as Payload;
  }

  #url(payload: Payload): Promise<{ url: string }> {
    const text = encode(payload);
    return Promise.resolve({ url: `${this.origin}/${text}.${this.#mac(text).toString('hex')}` });
  }

  #mac(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text).digest();
  }
}

async function serve(
  backend: LocalBackend,
  signer: HmacSigner,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const payload = signer.open(request.url ?? '');
  if (payload.use === 'part' && request.method === 'PUT') {
    const { etag } = await backend.putPart(payload, request);
    response.writeHead(200, { etag: `"${etag}"`, 'content-length': 0 }).end();
    return;
  }
  if (payload.use !== 'read' || request.method !== 'GET')
    throw new AppError('FORBIDDEN', 'This URL was signed for something else.');
  if (Date.now() > Date.parse(payload.expiresAt)) throw new AppError('URL_EXPIRED', 'This URL has expired.');
  const stat = await backend.stat(payload.key);
  if (!stat) throw new AppError('OBJECT_MISSING', 'The object is not in the storage.');
  const wanted = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  const start = Number(wanted?.[1] ?? 0);
  const end = wanted ? Number(wanted[2]) + 1 : stat.sizeBytes;
  const stream = await backend.read(payload.key, { start, end });
  const range = wanted ? { 'content-range': `bytes ${start}-${end - 1}/${stat.sizeBytes}` } : {};
  response.writeHead(wanted ? 206 : 200, { 'content-length': end - start, ...range });
  await pipeline(stream, response);
}

export async function startLocalUrlServer(config: { root: string; subfolder: string }): Promise<LocalUrlServer> {
  const signer = new HmacSigner();
  const backend = new LocalBackend({ ...config, signer });
  const server: Server = createServer((request, response) => {
    serve(backend, signer, request, response).catch((error: unknown) => {
      const failure = error instanceof AppError ? error : new AppError('INTERNAL', String(error));
      if (response.headersSent) return void response.destroy();
      const body = JSON.stringify(failure.toBody());
      response.writeHead(failure.status, { 'content-type': 'application/json', connection: 'close' }).end(body);
      request.resume();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  signer.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    backend,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
