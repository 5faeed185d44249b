import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { AppError } from '@rahatback/contracts';
import type { ErrorCode } from '@rahatback/contracts';
import { faulty } from '@rahatback/testing/faulty-storage';
import { backoffDelayMs } from '../backoff.js';
import { collect } from '../conformance/index.js';
import { LocalBackend } from './local/local-backend.js';
import type { StorageBackend } from './storage-backend.js';
import { withRetry } from './with-retry.js';

const failure = (code: ErrorCode): AppError => new AppError(code, 'injected');
const neverSigns = () => Promise.reject(new Error('not used'));

describe('withRetry', () => {
  let root: string;
  let real: LocalBackend;
  let waits: number[];
  const patience = (attempts = 4) => ({
    attempts,
    baseDelayMs: 100,
    maxDelayMs: 1_000,
    random: () => 0.5,
    sleep: (delayMs: number) => Promise.resolve(void waits.push(delayMs)),
  });

  beforeEach(async () => {
    waits = [];
    root = await mkdtemp(join(tmpdir(), 'rahatback-retry-'));
    real = new LocalBackend({ root, subfolder: 'default', signer: { signPart: neverSigns, signRead: neverSigns } });
    for (const name of ['a', 'b', 'c']) await real.putIfAbsent(name, Buffer.from(name));
  });
  afterEach(() => rm(root, { recursive: true }));

  it('waits longer after each failure, up to the maximum', async () => {
    const broken = faulty(real, { stat: [{ error: failure('STORAGE_TRANSIENT'), repeat: 5 }] });
    expect(await withRetry(broken, patience(7)).stat('a')).toMatchObject({ sizeBytes: 1 });
    expect(waits).toEqual([75, 150, 300, 600, 750, 750]);
    expect(broken.pendingStrikes()).toBe(0);
  });

  it('jitters between half of the delay and all of it', () => {
    const options = { attempts: 9, baseDelayMs: 100, maxDelayMs: 10_000 };
    expect(backoffDelayMs(3, { ...options, random: () => 0 })).toBe(200);
    expect(backoffDelayMs(3, { ...options, random: () => 0.999_999 })).toBeCloseTo(400, 2);
    expect(backoffDelayMs(500, { ...options, random: () => 0 })).toBe(5_000);
  });

  it('gives up after the last attempt with the last error', async () => {
    const broken = faulty(real, { delete: [{ error: failure('STORAGE_UNREACHABLE'), repeat: Infinity }] });
    await expect(withRetry(broken, patience()).delete('a')).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
    expect(broken.calls.delete).toBe(4);
  });

  it.each<ErrorCode>([
    'STORAGE_PERMANENT',
    'S3_DENIED',
    'S3_CREDENTIALS',
    'S3_BUCKET',
    'NO_SPACE',
    'OBJECT_EXISTS',
    'OBJECT_MISSING',
    'PART_INVALID',
    'UPLOAD_MISSING',
    'PATH_FORBIDDEN',
  ])('does not repeat what failed with %s', async (code) => {
    const broken = faulty(real, { putIfAbsent: [{ error: failure(code) }] });
    await expect(withRetry(broken, patience()).putIfAbsent('new', Buffer.from('x'))).rejects.toMatchObject({ code });
    expect(broken.calls.putIfAbsent).toBe(1);
    expect(waits).toEqual([]);
  });

  it('does not repeat a defect of ours', async () => {
    const broken = faulty(real, { stat: [{ error: new TypeError('x is not a function') }] });
    await expect(withRetry(broken, patience()).stat('a')).rejects.toThrow(TypeError);
    expect(broken.calls.stat).toBe(1);
  });

  it('publishes once although the answer was lost', async () => {
    const broken = faulty(real, { putIfAbsent: [{ error: failure('STORAGE_TRANSIENT'), when: 'after' }] });
    const bytes = randomBytes(100);
    expect(await withRetry(broken, patience()).putIfAbsent('manifest.json', bytes)).toMatchObject({ sizeBytes: 100 });
    expect(broken.calls.putIfAbsent).toBe(2);
    await expect(withRetry(broken, patience()).putIfAbsent('manifest.json', randomBytes(100))).rejects.toMatchObject({
      code: 'OBJECT_EXISTS',
    });
  });

  it('goes on with a list after its last key, each key once', async () => {
    const deaths = [1, 2];
    const dying: StorageBackend = {
      ...faulty(real, {}),
      list: (prefix) => diesAfter(real.list(prefix), deaths.pop() ?? Infinity),
    };
    expect((await collect(withRetry(dying, patience()).list(''))).map((object) => object.key)).toEqual(['a', 'b', 'c']);
    expect(waits).toHaveLength(2);
  });

  it('never ends a list early for an error', async () => {
    const broken = faulty(real, { list: [{ error: failure('STORAGE_TRANSIENT'), when: 'after', repeat: Infinity }] });
    await expect(collect(withRetry(broken, patience()).list(''))).rejects.toMatchObject({ code: 'STORAGE_TRANSIENT' });
  });

  it('reads on at the next byte, and stops when the reader does', async () => {
    const bytes = randomBytes(2_000_000);
    await real.putIfAbsent('large', bytes);
    const opened: (number | undefined)[] = [];
    const dying: StorageBackend = {
      ...faulty(real, {}),
      async read(key, range) {
        opened.push(range?.start);
        const stream = await real.read(key, range);
        return opened.length > 3 ? stream : Readable.from(diesAfter(stream, 1), { objectMode: false });
      },
    };
    expect((await buffer(await withRetry(dying, patience()).read('large'))).equals(bytes)).toBe(true);
    expect(opened[0]).toBeUndefined();
    expect(opened.length).toBeGreaterThanOrEqual(3);

    const abandoned = await withRetry(dying, patience()).read('large');
    const opens = opened.length;
    abandoned.destroy(failure('STORAGE_TRANSIENT'));
    await expect(buffer(abandoned)).rejects.toThrow();
    expect(opened).toHaveLength(opens);
  });

  it('tells that an object is missing when it is opened, not while it is read', async () => {
    await expect(withRetry(real, patience()).read('nothing')).rejects.toMatchObject({ code: 'OBJECT_MISSING' });
  });
});

async function* diesAfter<T>(items: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let left = count;
  for await (const item of items) {
    if (left === 0) throw failure('STORAGE_TRANSIENT');
    left -= 1;
    yield item;
  }
}
