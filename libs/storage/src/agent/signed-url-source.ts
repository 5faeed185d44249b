import { Readable } from 'node:stream';
import { AppError } from '@rahatback/contracts';
import type { SignedRequest } from '@rahatback/contracts';
import { retrying } from '../backoff.js';
import type { RetryOptions } from '../backoff.js';
import { checkedStream } from '../checked-stream.js';
import { assertObjectKey } from '../object-key.js';
import { resumingRead } from '../resuming-read.js';
import type { BackupSource, SourceRange, StoredObject } from './backup-source.js';
import { HttpTransfer, transferError } from './http-transfer.js';
import { DEFAULT_AGENT_RETRY, mayPass } from './retry-policy.js';

/** What the source asks of the server (the agent: `download:open` of its socket). May run twice. */
export interface DownloadControl {
  open(object: string): Promise<StoredObject & { readonly request: SignedRequest }>;
}

export interface SignedUrlSourceOptions {
  readonly retry?: RetryOptions;
  readonly transfer?: HttpTransfer;
  readonly signal?: AbortSignal;
}

type OpenedObject = Awaited<ReturnType<DownloadControl['open']>>;

/** Reads a backup at URLs that the server signs per object: ranges, renewed URLs, and broken reads that go on at the next byte. */
export class SignedUrlSource implements BackupSource {
  readonly #control: DownloadControl;
  readonly #retry: RetryOptions;
  readonly #ownsTransfer: boolean;
  readonly #transfer: HttpTransfer;
  readonly #signal: AbortSignal | undefined;
  readonly #opened = new Map<string, Promise<OpenedObject>>();

  constructor(control: DownloadControl, options: SignedUrlSourceOptions = {}) {
    this.#control = control;
    this.#retry = options.retry ?? DEFAULT_AGENT_RETRY;
    this.#ownsTransfer = options.transfer === undefined;
    this.#transfer = options.transfer ?? new HttpTransfer();
    this.#signal = options.signal;
  }

  async stat(object: string): Promise<StoredObject> {
    const { sizeBytes, stamp } = await this.#open(object);
    return { sizeBytes, ...(stamp === undefined ? {} : { stamp }) };
  }

  async read(object: string, range?: SourceRange): Promise<Readable> {
    const { sizeBytes } = await this.#open(object);
    const start = range?.start ?? 0;
    const end = range?.end ?? sizeBytes;
    if (end > sizeBytes || start > end) {
      throw new AppError('DATA_TRUNCATED', 'The stored object is shorter than the range that was asked for.', {
        object,
        start,
        end,
        sizeBytes,
      });
    }
    if (start === end) return Readable.from([]);
    return resumingRead((position) => this.#openAt(object, position, end), {
      start,
      end,
      retry: this.#retry,
      shouldRetry: mayPass,
      ...(this.#signal ? { signal: this.#signal } : {}),
    });
  }

  /** Closes kept connections; a transfer that was given in stays open. */
  close(): void {
    if (this.#ownsTransfer) this.#transfer.close();
  }

  async #openAt(object: string, start: number, end: number): Promise<Readable> {
    const get = async (): Promise<Readable> => {
      const { request } = await this.#open(object);
      const answer = await this.#transfer.get(request, { start, end }, this.#signal);
      return checkedStream(answer, end - start, (error) => transferError(error, this.#signal));
    };
    try {
      return await get();
    } catch (error) {
      if (!isRefused(error)) throw error;
      this.#opened.delete(object);
      return get();
    }
  }

  /** One URL per object serves all its ranges until the store refuses it. A failed question is not remembered. */
  #open(object: string): Promise<OpenedObject> {
    const known = this.#opened.get(object);
    if (known) return known;
    const opening = retrying(this.#retry, () => this.#control.open(assertObjectKey(object)), mayPass, this.#signal);
    this.#opened.set(object, opening);
    opening.catch(() => this.#opened.delete(object));
    return opening;
  }
}

const isRefused = (error: unknown): boolean =>
  error instanceof AppError && (error.code === 'URL_EXPIRED' || error.code === 'S3_DENIED' || error.code === 'S3_CREDENTIALS');
