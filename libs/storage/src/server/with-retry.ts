import { retrying, isTransient, waitBeforeRetry } from '../backoff.js';
import type { RetryOptions } from '../backoff.js';
import { resumingRead } from '../resuming-read.js';
import type { ByteRange, StorageBackend } from './storage-backend.js';

export const DEFAULT_SERVER_RETRY: RetryOptions = { attempts: 6, baseDelayMs: 200, maxDelayMs: 10_000 };

/**
 * The same backend, patient: calls that failed with STORAGE_TRANSIENT or STORAGE_UNREACHABLE are made again with exponential backoff and jitter;
 * all other errors pass at once. A read resumes at its last byte, a list goes on after its last key. `probe` is not retried: a person waits for it.
 */
export function withRetry(backend: StorageBackend, options: RetryOptions = DEFAULT_SERVER_RETRY): StorageBackend {
  const retry = <T>(operation: () => Promise<T>): Promise<T> => retrying(options, operation);
  return {
    kind: backend.kind,
    probe: () => backend.probe(),
    createUpload: (key) => retry(() => backend.createUpload(key)),
    signPart: (request) => retry(() => backend.signPart(request)),
    listParts: (key, uploadId) => retry(() => backend.listParts(key, uploadId)),
    completeUpload: (request) => retry(() => backend.completeUpload(request)),
    abortUpload: (key, uploadId) => retry(() => backend.abortUpload(key, uploadId)),
    listUploads: (prefix) => resumingList(options, () => backend.listUploads(prefix), seenBefore()),
    putIfAbsent: (key, bytes) => retry(() => backend.putIfAbsent(key, bytes)),
    stat: (key) => retry(() => backend.stat(key)),
    read: (key, range) => resumedRead(backend, options, key, range),
    signRead: (request) => retry(() => backend.signRead(request)),
    list: (prefix) => resumingList(options, () => backend.list(prefix), notAfterLast()),
    delete: (key) => retry(() => backend.delete(key)),
  };
}

async function resumedRead(backend: StorageBackend, options: RetryOptions, key: string, range: ByteRange | undefined) {
  const start = range?.start ?? 0;
  const end = range?.end;
  const open = (position: number) =>
    backend.read(
      key,
      position === 0 && end === undefined ? undefined : { start: position, ...(end === undefined ? {} : { end }) },
    );
  // The first opening happens here so that OBJECT_MISSING is this call's error and not the stream's.
  let opened: Awaited<ReturnType<typeof open>> | undefined = await retrying(options, () => open(start));
  const stream = resumingRead(
    (position) => {
      const first = opened;
      opened = undefined;
      return first ? Promise.resolve(first) : open(position);
    },
    { start, ...(end === undefined ? {} : { end }), retry: options },
  );
  stream.once('close', () => opened?.destroy());
  return stream;
}

/** Keys come in ascending order, so whatever is not after the last one was delivered before the break. */
function notAfterLast(): (item: { key: string }) => boolean {
  let last: string | undefined;
  return ({ key }) => {
    if (last !== undefined && key <= last) return true;
    last = key;
    return false;
  };
}

function seenBefore(): (item: { uploadId: string }) => boolean {
  const seen = new Set<string>();
  return ({ uploadId }) => {
    const isRepeated = seen.has(uploadId);
    seen.add(uploadId);
    return isRepeated;
  };
}

async function* resumingList<T>(
  options: RetryOptions,
  open: () => AsyncIterable<T>,
  isRepeated: (item: T) => boolean,
): AsyncGenerator<T> {
  let failures = 0;
  let items: AsyncIterator<T> | undefined;
  try {
    for (;;) {
      let next: IteratorResult<T>;
      try {
        items ??= open()[Symbol.asyncIterator]();
        next = await items.next();
      } catch (error) {
        items = undefined;
        failures += 1;
        if (failures >= options.attempts || !isTransient(error)) throw error;
        await waitBeforeRetry(failures, options);
        continue;
      }
      if (next.done) return;
      if (isRepeated(next.value)) continue;
      failures = 0;
      yield next.value;
    }
  } finally {
    await items?.return?.();
  }
}
