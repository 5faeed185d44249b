import { createHash } from 'node:crypto';
import { AppError } from '@rahatback/contracts';
import type { CompletedObject, ObjectSink } from './backup-sink.js';
import type { PartAnnouncement, UploadedPart } from './part-upload.js';

export interface ObjectUploadOptions {
  readonly partSizeBytes: number;
  readonly maxParts: number;
  /** Part buffers in all: one being filled, the others on their way. */
  readonly concurrency: number;
  readonly uploadPart: (part: PartAnnouncement, body: Buffer) => Promise<UploadedPart>;
  readonly complete: (object: CompletedObject, parts: readonly UploadedPart[]) => Promise<{ readonly stamp?: string }>;
}

/** Cuts one object into parts and sends up to `concurrency` of them at once, in `partSizeBytes × concurrency` bytes of memory. */
export class ObjectUpload implements ObjectSink {
  readonly #options: ObjectUploadOptions;
  readonly #sha256 = createHash('sha256');
  readonly #free: Buffer[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #done: UploadedPart[] = [];
  #allocated = 0;
  #part: Buffer | undefined;
  #filled = 0;
  #partNumber = 0;
  #sizeBytes = 0;
  #failure: { readonly error: unknown } | undefined;
  #isEnded = false;

  constructor(options: ObjectUploadOptions) {
    this.#options = options;
  }

  async write(bytes: Buffer): Promise<void> {
    this.#assertOpen();
    this.#sha256.update(bytes);
    this.#sizeBytes += bytes.length;
    for (let offset = 0; offset < bytes.length;) {
      const part = this.#part ?? (await this.#nextBuffer());
      this.#part = part;
      const copied = bytes.copy(part, this.#filled, offset);
      offset += copied;
      this.#filled += copied;
      if (this.#filled === part.length) this.#send(part);
    }
  }

  async complete(): Promise<CompletedObject> {
    this.#assertOpen();
    this.#isEnded = true;
    if (this.#part && this.#filled > 0) this.#send(this.#part);
    await Promise.all(this.#running);
    this.#throwFailure();
    const object = { sizeBytes: this.#sizeBytes, sha256: this.#sha256.digest('hex') };
    const parts = [...this.#done].sort((a, b) => a.partNumber - b.partNumber);
    const sentBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
    if (parts.length === 0 || sentBytes !== object.sizeBytes) {
      throw new AppError(
        'PIPELINE_FAILED',
        `An object of ${object.sizeBytes} bytes was sent as ${sentBytes} bytes. Run the backup again.`,
      );
    }
    const { stamp } = await this.#options.complete(object, parts);
    this.#free.length = 0;
    return stamp === undefined ? object : { ...object, stamp };
  }

  /** Resolves when no part is on its way any more; never throws. */
  async settled(): Promise<void> {
    this.#isEnded = true;
    await Promise.all(this.#running);
  }

  async #nextBuffer(): Promise<Buffer> {
    if (this.#partNumber >= this.#options.maxParts) {
      throw this.#fail(
        new AppError(
          'PART_INVALID',
          `This volume is full: it holds at most ${this.#options.maxParts} parts. Start the next volume.`,
        ),
      );
    }
    while (this.#free.length === 0 && this.#allocated >= this.#options.concurrency) {
      await Promise.race(this.#running);
      this.#throwFailure();
    }
    const free = this.#free.pop();
    if (free) return free;
    this.#allocated += 1;
    return Buffer.allocUnsafeSlow(this.#options.partSizeBytes);
  }

  #send(buffer: Buffer): void {
    const body = buffer.subarray(0, this.#filled);
    this.#part = undefined;
    this.#filled = 0;
    this.#partNumber += 1;
    const part = {
      partNumber: this.#partNumber,
      sizeBytes: body.length,
      sha256: createHash('sha256').update(body).digest('hex'),
      md5: createHash('md5').update(body).digest('base64'),
    };
    const sending = this.#options.uploadPart(part, body).then(
      (uploaded) => {
        this.#done.push(uploaded);
        this.#free.push(buffer);
      },
      (error: unknown) => void this.#fail(error),
    );
    const tracked = sending.finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  #assertOpen(): void {
    this.#throwFailure();
    if (this.#isEnded) throw new AppError('INTERNAL', 'The object was already completed or aborted.');
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** The first failure is the one that is told. */
  #fail(error: unknown): unknown {
    this.#failure ??= { error };
    return error;
  }
}
