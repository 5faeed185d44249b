import { createHash } from 'node:crypto';
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '../random.js';
import { s3RequestOf } from './s3-operation.js';
import type { S3Operation, S3Request } from './s3-operation.js';

export type S3FaultAction =
  /** Answers with an error document; the store never sees the request. */
  | { readonly kind: 'refuse'; readonly status: number; readonly code: string }
  /** The store does it, and the connection dies instead of bringing the answer. */
  | { readonly kind: 'lose-answer' }
  /** Status 200 with an error document, as S3 does after a long CompleteMultipartUpload. `isDone`: whether the store did it. */
  | { readonly kind: 'error-in-200'; readonly code: string; readonly isDone: boolean }
  /** Says that a part arrived, and drops it. */
  | { readonly kind: 'swallow-part' }
  /** Forwards only later. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** The connection dies in the middle of the answer's body. */
  | { readonly kind: 'cut-answer'; readonly afterBytes: number }
  /** The connection dies before the store sees the request. */
  | { readonly kind: 'reset' };

export interface S3Fault {
  readonly operation: S3Operation | readonly S3Operation[];
  readonly action: S3FaultAction;
  readonly matches?: (request: S3Request) => boolean;
  /** How many matching requests pass before it strikes. Default 0. */
  readonly after?: number;
  /** How often it strikes. Default 1. */
  readonly times?: number;
  /** Chance of striking at each matching request. Default 1. */
  readonly probability?: number;
}

export interface S3FaultProxy {
  /** Give this to the driver instead of the store's own endpoint. */
  readonly endpoint: string;
  /** Every request that came, in order. */
  readonly requests: readonly S3Request[];
  /** How often each fault struck, in the order in which they were added. */
  strikes(): readonly number[];
  add(...faults: readonly S3Fault[]): void;
  /** Forgets faults and requests. */
  reset(): void;
  stop(): Promise<void>;
}

interface ArmedFault {
  readonly fault: S3Fault;
  seen: number;
  struck: number;
}

const errorDocument = (code: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>injected</Message></Error>`;

function answer(response: ServerResponse, status: number, body: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body), ...headers });
  response.end(body);
}

async function readAll(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Sends the request on with its own Host header, so that signatures made for the proxy's address stay valid. */
function forward(upstream: URL, incoming: IncomingMessage): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = {
      host: upstream.hostname,
      port: upstream.port,
      method: incoming.method,
      path: incoming.url,
      headers: incoming.headers,
    };
    const outgoing = httpRequest(options, resolve);
    outgoing.once('error', reject);
    pipeline(incoming, outgoing).catch(reject);
  });
}

async function cutAnswer(from: IncomingMessage, response: ServerResponse, afterBytes: number): Promise<void> {
  response.writeHead(from.statusCode ?? 502, from.headers);
  let sent = 0;
  for await (const chunk of from as AsyncIterable<Buffer>) {
    const part = chunk.subarray(0, afterBytes - sent);
    sent += part.length;
    await new Promise<void>((resolve) => response.write(part, () => resolve()));
    if (sent >= afterBytes) break;
  }
  from.destroy();
  response.destroy();
}

async function relay(upstream: URL, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const from = await forward(upstream, incoming);
  response.writeHead(from.statusCode ?? 502, from.headers);
  await pipeline(from, response);
}

interface Exchange {
  readonly upstream: URL;
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  /** Aborts when the proxy stops. */
  readonly stopped: AbortSignal;
}

async function act(action: S3FaultAction, { upstream, incoming, response, stopped }: Exchange): Promise<void> {
  switch (action.kind) {
    case 'refuse':
      await readAll(incoming);
      return answer(response, action.status, errorDocument(action.code));
    case 'lose-answer':
      await readAll(await forward(upstream, incoming));
      response.destroy();
      return;
    case 'error-in-200':
      await readAll(action.isDone ? await forward(upstream, incoming) : incoming);
      return answer(response, 200, errorDocument(action.code));
    case 'swallow-part':
      return answer(response, 200, '', {
        etag: `"${createHash('md5')
          .update(await readAll(incoming))
          .digest('hex')}"`,
      });
    case 'delay':
      await delay(action.delayMs, undefined, { signal: stopped });
      return relay(upstream, incoming, response);
    case 'cut-answer':
      return cutAnswer(await forward(upstream, incoming), response, action.afterBytes);
    case 'reset':
      await readAll(incoming);
      response.destroy();
  }
}

/** An S3 server's worst days, on demand: an HTTP proxy in front of a real store that breaks chosen requests and passes all others on. `seed` fixes the faults with a probability. */
export async function startS3FaultProxy(storeEndpoint: string, seed = 1): Promise<S3FaultProxy> {
  const upstream = new URL(storeEndpoint);
  const random = seededRandom(seed);
  let armed: ArmedFault[] = [];
  let requests: S3Request[] = [];
  const stop = new AbortController();
  const strike = (request: S3Request): S3FaultAction | undefined => {
    for (const one of armed) {
      const { fault } = one;
      const isMeant = [fault.operation].flat().includes(request.operation) && (fault.matches?.(request) ?? true);
      if (!isMeant || one.struck >= (fault.times ?? 1)) continue;
      one.seen += 1;
      if (one.seen <= (fault.after ?? 0) || random.next() >= (fault.probability ?? 1)) continue;
      one.struck += 1;
      return fault.action;
    }
    return undefined;
  };
  const server = createServer((incoming, response) => {
    const request = s3RequestOf(incoming);
    requests.push(request);
    const action = strike(request);
    const done = action
      ? act(action, { upstream, incoming, response, stopped: stop.signal })
      : relay(upstream, incoming, response);
    done.catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get requests() {
      return requests;
    },
    strikes: () => armed.map((one) => one.struck),
    add: (...faults) => void armed.push(...faults.map((fault) => ({ fault, seen: 0, struck: 0 }))),
    reset() {
      armed = [];
      requests = [];
    },
    async stop() {
      stop.abort();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
