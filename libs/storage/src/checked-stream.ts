import { Readable } from 'node:stream';
import { AppError } from '@rahatback/contracts';

/**
 * Passes a stream on, with its errors translated, and fails with STORAGE_TRANSIENT when it ends before `expectedBytes`: a connection that
 * closes early must never look like the end of an object. Destroying the result destroys the source.
 */
export function checkedStream(
  source: Readable,
  expectedBytes: number | undefined,
  translate: (error: unknown) => AppError,
): Readable {
  const out = Readable.from(passOn(source, expectedBytes, translate), { objectMode: false });
  // A consumer that never reads does not start the generator, so its `finally` would not run.
  out.once('close', () => source.destroy());
  source.on('error', () => undefined);
  return out;
}

async function* passOn(
  source: Readable,
  expectedBytes: number | undefined,
  translate: (error: unknown) => AppError,
): AsyncGenerator<Buffer> {
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let received = 0;
  for (;;) {
    const next = await chunks.next().catch((error: unknown) => {
      throw translate(error);
    });
    if (next.done) break;
    received += next.value.length;
    yield next.value;
  }
  if (expectedBytes !== undefined && received !== expectedBytes) {
    throw new AppError(
      'STORAGE_TRANSIENT',
      'The storage closed the connection before the object was complete. It is read again.',
      {
        receivedBytes: received,
        expectedBytes,
      },
    );
  }
}
