import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { AppError, errorFromBody, isErrorCode } from '@rahatback/contracts';
import type { SignedRequest } from '@rahatback/contracts';
import { networkError } from '../network-errors.js';
import { s3AnswerError } from '../s3-answer.js';

const MAX_ERROR_BODY_BYTES = 16 * 1024;

export interface HttpTransferOptions {
  readonly connectTimeoutMs?: number;
  /** How long a connection may be silent: while sending, while waiting for the answer, while receiving. */
  readonly idleTimeoutMs?: number;
  readonly maxSockets?: number;
}

/** Sends and fetches bytes at signed URLs, over connections that are kept. It neither retries nor follows redirects: a signature is for one host. */
export class HttpTransfer {
  readonly #connectTimeoutMs: number;
  readonly #idleTimeoutMs: number;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  constructor(options: HttpTransferOptions = {}) {
    this.#connectTimeoutMs = options.connectTimeoutMs ?? 10_000;
    this.#idleTimeoutMs = options.idleTimeoutMs ?? 60_000;
    const agent = { keepAlive: true, maxSockets: options.maxSockets ?? 16 };
    this.#http = new HttpAgent(agent);
    this.#https = new HttpsAgent(agent);
  }

  /** Puts the body; returns the answer's `etag` without quotes. Throws an AppError for every other answer and for a broken connection. */
  async put(signed: SignedRequest, body: Buffer, signal?: AbortSignal): Promise<{ etag: string }> {
    const answer = await this.#exchange(signed, {
      headers: { 'content-length': String(body.length) },
      body,
      ...(signal ? { signal } : {}),
    });
    if (answer.statusCode !== 200 && answer.statusCode !== 201 && answer.statusCode !== 204)
      throw await refusal(answer, 's3:PutObject');
    const etag = answer.headers.etag?.replace(/^"|"$/g, '');
    await drain(answer);
    if (!etag)
      throw new AppError(
        'STORAGE_PERMANENT',
        'The storage took a part without naming it (no ETag header). Check the proxy in front of it.',
      );
    return { etag };
  }

  /** Opens a range; the caller reads or destroys the answer. `end` is exclusive. */
  async get(signed: SignedRequest, range: { start: number; end: number }, signal?: AbortSignal): Promise<IncomingMessage> {
    const headers = { range: `bytes=${range.start}-${range.end - 1}` };
    const answer = await this.#exchange(signed, { headers, ...(signal ? { signal } : {}) });
    if (answer.statusCode === 206 && answer.headers['content-range']?.startsWith(`bytes ${range.start}-`)) return answer;
    if (answer.statusCode === 200 && range.start === 0 && answer.headers['content-length'] === String(range.end)) return answer;
    if (answer.statusCode === 200 || answer.statusCode === 206) {
      answer.destroy();
      throw new AppError('STORAGE_PERMANENT', 'The storage does not read ranges of objects. Check the proxy in front of it.');
    }
    throw await refusal(answer, 's3:GetObject');
  }

  /** Closes kept connections. */
  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #exchange(
    signed: SignedRequest,
    send: { headers: Record<string, string>; body?: Buffer; signal?: AbortSignal },
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const url = new URL(signed.url);
      const isTls = url.protocol === 'https:';
      const options = {
        method: signed.method,
        headers: { ...signed.headers, ...send.headers },
        agent: isTls ? this.#https : this.#http,
        ...(send.signal ? { signal: send.signal } : {}),
      };
      const request = isTls ? httpsRequest(url, options) : httpRequest(url, options);
      let answer: IncomingMessage | undefined;
      this.#bound(request, () => answer);
      request.once('response', (response) => {
        answer = response;
        resolve(response);
      });
      request.once('error', (error) => reject(transferError(error, send.signal)));
      request.end(send.body);
    });
  }

  #bound(request: ClientRequest, answer: () => IncomingMessage | undefined): void {
    const timedOut = (): Error => Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' });
    const connecting = setTimeout(() => request.destroy(timedOut()), this.#connectTimeoutMs);
    const isConnected = (): void => clearTimeout(connecting);
    request.once('socket', (socket) => {
      if (socket.connecting) socket.once('connect', isConnected);
      else isConnected();
    });
    request.once('close', isConnected);
    request.setTimeout(this.#idleTimeoutMs, () => {
      answer()?.destroy(timedOut());
      request.destroy(timedOut());
    });
  }
}

/** What a broken exchange becomes. An abort is told apart, so that nothing retries it. */
export function transferError(error: unknown, signal?: AbortSignal): AppError {
  if (error instanceof AppError) return error;
  if (signal?.aborted)
    return signal.reason instanceof AppError ? signal.reason : new AppError('CANCELLED', 'The transfer was stopped.');
  return networkError(error) ?? new AppError('STORAGE_TRANSIENT', 'The transfer broke for an unknown reason. It is tried again.');
}

async function drain(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let kept = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      if (kept < MAX_ERROR_BODY_BYTES) chunks.push(chunk);
      kept += chunk.length;
    }
  } catch {
    // The status line is what counts; a body cut short adds nothing.
  }
  return Buffer.concat(chunks).toString('utf8', 0, MAX_ERROR_BODY_BYTES);
}

/** Our own API answers `{code, message}`; a store answers an XML document with `<Code>`. */
async function refusal(answer: IncomingMessage, action: string): Promise<AppError> {
  const httpStatus = answer.statusCode ?? 0;
  const body = await drain(answer);
  const own = ownError(body);
  if (own) return own;
  const s3Code = /<Code>([A-Za-z0-9.]{1,100})<\/Code>/.exec(body)?.[1];
  return s3AnswerError({ httpStatus, action, ...(s3Code ? { s3Code } : {}) });
}

function ownError(body: string): AppError | undefined {
  try {
    const parsed = JSON.parse(body) as { code?: unknown; message?: unknown } | null;
    return parsed && isErrorCode(parsed.code) ? errorFromBody(parsed) : undefined;
  } catch {
    return undefined;
  }
}
