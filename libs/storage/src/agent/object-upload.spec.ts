import { createHash, randomBytes } from 'node:crypto';
import { AppError } from '@rahatback/contracts';
import { ObjectUpload } from './object-upload.js';
import type { PartAnnouncement, UploadedPart } from './part-upload.js';

const PART_BYTES = 1_000;

interface Sending {
  readonly part: PartAnnouncement;
  readonly body: Buffer;
  finish(): void;
  fail(error: Error): void;
}

function upload(concurrency: number, maxParts = 100) {
  const sent: Sending[] = [];
  const completed: (readonly UploadedPart[])[] = [];
  const object = new ObjectUpload({
    partSizeBytes: PART_BYTES,
    maxParts,
    concurrency,
    uploadPart: (part, body) =>
      new Promise((resolve, reject) => {
        sent.push({ part, body, finish: () => resolve({ ...part, etag: 'e' }), fail: reject });
      }),
    complete: (_object, parts) => {
      completed.push(parts);
      return Promise.resolve({});
    },
  });
  return { object, sent, completed };
}

/** Runs what is ready to run. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  await settle();
  const pending = Symbol('pending');
  return (await Promise.race([promise, Promise.resolve(pending)])) === pending;
}

describe('ObjectUpload', () => {
  it('holds back its writer while every buffer is on its way', async () => {
    const { object, sent } = upload(2);
    await object.write(randomBytes(2 * PART_BYTES));
    const third = object.write(randomBytes(1));
    expect(await isPending(third)).toBe(true);
    expect(sent).toHaveLength(2);
    sent[1]?.finish();
    await third;
  });

  it('never has more than `concurrency` buffers', async () => {
    const { object, sent } = upload(3);
    const buffers = new Set<ArrayBufferLike>();
    const writing = object.write(randomBytes(20 * PART_BYTES));
    for (let done = 0; done < 20; done += 1) {
      await settle();
      expect(sent.length - done).toBeLessThanOrEqual(3);
      const next = sent[done];
      if (next) buffers.add(next.body.buffer);
      next?.finish();
    }
    await writing;
    expect(buffers.size).toBeLessThanOrEqual(3);
  });

  it('announces what it sends, also when parts end in another order', async () => {
    const { object, sent, completed } = upload(4);
    const content = randomBytes(2 * PART_BYTES + 7);
    const copies: Buffer[] = [];
    await object.write(content);
    const completing = object.complete();
    await settle();
    for (const one of [...sent].reverse()) {
      copies.unshift(Buffer.from(one.body));
      expect(one.part.sha256).toBe(createHash('sha256').update(one.body).digest('hex'));
      expect(one.part.md5).toBe(createHash('md5').update(one.body).digest('base64'));
      one.finish();
    }
    expect(await completing).toEqual({ sizeBytes: content.length, sha256: createHash('sha256').update(content).digest('hex') });
    expect(Buffer.concat(copies).equals(content)).toBe(true);
    expect(completed[0]?.map((part) => [part.partNumber, part.sizeBytes])).toEqual([
      [1, PART_BYTES],
      [2, PART_BYTES],
      [3, 7],
    ]);
  });

  it('tells the first failure to the writer and never completes', async () => {
    const { object, sent, completed } = upload(2);
    await object.write(randomBytes(2 * PART_BYTES));
    const blocked = object.write(randomBytes(1));
    blocked.catch(() => undefined);
    sent[0]?.fail(new AppError('S3_DENIED', 'first'));
    await expect(blocked).rejects.toMatchObject({ code: 'S3_DENIED' });
    sent[1]?.fail(new AppError('NO_SPACE', 'second'));
    await expect(object.complete()).rejects.toMatchObject({ code: 'S3_DENIED' });
    expect(completed).toEqual([]);
  });

  it('fails its completion when the last part fails', async () => {
    const { object, sent, completed } = upload(2);
    await object.write(randomBytes(10));
    const completing = object.complete();
    await settle();
    sent[0]?.fail(new AppError('NO_SPACE', 'full'));
    await expect(completing).rejects.toMatchObject({ code: 'NO_SPACE' });
    expect(completed).toEqual([]);
  });

  it('says that the volume is full instead of dropping bytes', async () => {
    const { object, sent } = upload(3, 2);
    await object.write(randomBytes(2 * PART_BYTES));
    for (const one of sent) one.finish();
    await expect(object.write(randomBytes(1))).rejects.toMatchObject({ code: 'PART_INVALID' });
    await expect(object.complete()).rejects.toMatchObject({ code: 'PART_INVALID' });
  });

  it('refuses an object without a byte, and anything after its end', async () => {
    const { object } = upload(1);
    await expect(object.complete()).rejects.toMatchObject({ code: 'PIPELINE_FAILED' });
    await expect(object.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'INTERNAL' });
  });
});
