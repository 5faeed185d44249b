import { AppError } from '@rahatback/contracts';
import { retrying } from '../backoff.js';
import type { RetryOptions } from '../backoff.js';
import { assertObjectKey } from '../object-key.js';
import type { BackupSink, ObjectSink, UploadPoint } from './backup-sink.js';
import { HttpTransfer, transferError } from './http-transfer.js';
import { ObjectUpload } from './object-upload.js';
import { uploadPart } from './part-upload.js';
import { DEFAULT_AGENT_RETRY, mayPass } from './retry-policy.js';
import type { UploadControl } from './upload-control.js';

export interface SignedUrlSinkOptions {
  /** Parts in memory per open object, default 3: 24 MiB. */
  readonly concurrency?: number;
  readonly retry?: RetryOptions;
  readonly transfer?: HttpTransfer;
  /** Stops everything; the owner then calls `abort`. */
  readonly signal?: AbortSignal;
  readonly onPoint?: (point: UploadPoint) => void;
}

/** Sends a backup to storage through URLs that the server signs part by part. No key of the storage is ever here. */
export class SignedUrlSink implements BackupSink {
  readonly #control: UploadControl;
  readonly #options: SignedUrlSinkOptions;
  readonly #retry: RetryOptions;
  readonly #transfer: HttpTransfer;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #uploads = new Set<ObjectUpload>();

  constructor(control: UploadControl, options: SignedUrlSinkOptions = {}) {
    this.#control = control;
    this.#options = options;
    this.#retry = options.retry ?? DEFAULT_AGENT_RETRY;
    this.#transfer = options.transfer ?? new HttpTransfer();
    this.#signal = options.signal ? AbortSignal.any([options.signal, this.#stop.signal]) : this.#stop.signal;
  }

  async beginObject(object: string): Promise<ObjectSink> {
    assertObjectKey(object);
    const { partSizeBytes, maxParts } = await this.#asking(() => this.#control.begin(object));
    const { onPoint } = this.#options;
    const context = {
      sign: (part: Parameters<UploadControl['signPart']>[1]) => this.#control.signPart(object, part),
      transfer: this.#transfer,
      retry: this.#retry,
      signal: this.#signal,
      onPoint,
    };
    const upload: ObjectUpload = new ObjectUpload({
      partSizeBytes,
      maxParts,
      concurrency: Math.max(1, this.#options.concurrency ?? 3),
      uploadPart: (part, body) =>
        uploadPart(context, part, body).catch((error: unknown) => {
          throw this.#signal.aborted ? transferError(error, this.#signal) : error;
        }),
      complete: async (completed, parts) => {
        onPoint?.('upload.after_last_part');
        const confirmed = await this.#asking(() => this.#control.complete(object, { ...completed, parts }));
        this.#uploads.delete(upload);
        return confirmed;
      },
    });
    this.#uploads.add(upload);
    return upload;
  }

  async publish(object: string, bytes: Buffer): Promise<void> {
    assertObjectKey(object);
    await this.#asking(() => this.#control.publish(object, bytes));
  }

  async abort(): Promise<void> {
    this.#stop.abort(new AppError('CANCELLED', 'The upload was aborted.'));
    await Promise.all([...this.#uploads].map((upload) => upload.settled()));
    this.#uploads.clear();
    await retrying(this.#retry, () => this.#control.abort(), mayPass);
    if (!this.#options.transfer) this.#transfer.close();
  }

  /** Closes kept connections after the last object; `abort` does so too. A transfer that was given in stays open. */
  close(): void {
    if (!this.#options.transfer) this.#transfer.close();
  }

  #asking<T>(ask: () => Promise<T>): Promise<T> {
    return retrying(
      this.#retry,
      () => {
        this.#signal.throwIfAborted();
        return ask();
      },
      mayPass,
      this.#signal,
    );
  }
}
