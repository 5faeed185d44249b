import { request as httpRequest } from 'node:http';
import type { SignedRequest } from '@rahatback/contracts';

export interface HttpAnswer {
  readonly status: number;
  readonly etag: string;
  readonly body: Buffer;
}

/** Sends exactly what it is told, right or wrong: a well-behaved client would not let a test lie. A cut connection is status 0. */
export function sendSigned(signed: SignedRequest, body?: Buffer, headers: Record<string, string> = {}): Promise<HttpAnswer> {
  const length = body ? { 'content-length': String(body.length) } : {};
  const cut: HttpAnswer = { status: 0, etag: '', body: Buffer.alloc(0) };
  return new Promise((resolve) => {
    const options = { method: signed.method, agent: false, headers: { ...signed.headers, ...length, ...headers } };
    const request = httpRequest(new URL(signed.url), options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', () => resolve(cut));
      response.once('end', () => {
        const etag = response.headers.etag?.replaceAll('"', '') ?? '';
        resolve({ status: response.statusCode ?? 0, etag, body: Buffer.concat(chunks) });
      });
    });
    request.once('error', () => resolve(cut));
    request.end(body);
  });
}
