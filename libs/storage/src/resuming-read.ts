import { Readable } from 'node:stream';
import { isTransient, waitBeforeRetry } from './backoff.js';
import type { RetryOptions } from './backoff.js';

export interface ResumingReadOptions {
  /** First byte wanted. */
  readonly start: number;
  /** One past the last byte wanted; without it the object is read to its end. */
  readonly end?: number;
  readonly retry: RetryOptions;
  readonly shouldRetry?: (error: unknown) => boolean;
  readonly signal?: AbortSignal;
}

/**
 * A stream that survives broken reads: `open(position)` is called again at the first byte not yet delivered. The attempts are counted anew
 * after each byte of progress. The object must not change meanwhile (ours never do). Any other error ends the stream with that error.
 */
export function resumingRead(open: (start: number) => Promise<Readable>, options: ResumingReadOptions): Readable {
  return Readable.from(readOn(open, options), { objectMode: false });
}

async function* readOn(open: (start: number) => Promise<Readable>, options: ResumingReadOptions): AsyncGenerator<Buffer> {
  const shouldRetry = options.shouldRetry ?? isTransient;
  let position = options.start;
  let failures = 0;
  let source: Readable | undefined;
  let chunks: AsyncIterator<Buffer> | undefined;
  try {
    while (options.end === undefined || position < options.end) {
      let next: IteratorResult<Buffer>;
      // Only our own reading is inside the try: an error thrown into this generator by its consumer must not look like a broken read.
      try {
        source ??= await open(position);
        chunks ??= source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
        next = await chunks.next();
      } catch (error) {
        source?.destroy();
        source = undefined;
        chunks = undefined;
        failures += 1;
        if (failures >= options.retry.attempts || options.signal?.aborted || !shouldRetry(error)) throw error;
        await waitBeforeRetry(failures, options.retry, options.signal);
        continue;
      }
      if (next.done) return;
      failures = 0;
      position += next.value.length;
      yield next.value;
    }
  } finally {
    source?.destroy();
  }
}
