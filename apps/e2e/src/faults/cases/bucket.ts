import { processFaults, type S3Operation } from '@rahatback/testing';
import { waitOnline } from '../../system/agent-side.js';
import { mustHold, type FaultCase, type Violation } from '../fault-case.js';
import type { FaultWorld } from '../fault-world.js';
import { backupOf, endOf, goodBackup, holdDumps, jobTo, said, startBackup } from '../operations.js';

const EVERY_OPERATION: readonly S3Operation[] = [
  'CreateUpload',
  'UploadPart',
  'ListParts',
  'CompleteUpload',
  'AbortUpload',
  'ListUploads',
  'PutObject',
  'GetObject',
  'HeadObject',
  'DeleteObject',
  'ListObjects',
];
const TWENTY_MINUTES_MS = 20 * 60_000;
const FAST_MS = 30_000;

const expiredAddress: FaultCase = {
  row: 33,
  title: 'the address of a part expires before the part arrives',
  async run(world) {
    // The addresses live for 10 s here.
    world.s3Faults.add({ operation: 'UploadPart', action: { kind: 'delay', delayMs: 12_000 } });
    const ended = await endOf(world, await startBackup(world, await jobTo(world, 's3')));
    const [strikes] = world.s3Faults.strikes();
    const parts = world.s3Faults.requests.filter(({ operation, partNumber }) => operation === 'UploadPart' && partNumber === 1);
    return [
      ...mustHold(strikes === 1, 'no part was late'),
      ...mustHold(parts.length >= 2, 'the part was not sent again'),
      ...mustHold(ended.status === 'success' && ended.attempts.length === 1, said(ended)),
    ];
  },
};

/** The bucket's clock stays right: a client that signed by itself would be refused (RequestTimeTooSkewed after 15 minutes). */
const skewedClock = (offsetMs: number, words: string): FaultCase => ({
  row: 34,
  title: `the agent's clock is 20 minutes ${words}, and steps by an hour in the middle of a backup`,
  async run(world) {
    const faults = processFaults(world.folder, `agent-clock-${words}`);
    faults.prepare({ clockOffsetMs: offsetMs });
    const { daemon } = world.agent;
    await daemon.stop();
    await daemon.start(faults.env);
    const held = await holdDumps(world);
    try {
      await waitOnline(world.person, 'agent-1');
      const id = await startBackup(world, await jobTo(world, 's3'));
      await held.waiting();
      await faults.set({ clockOffsetMs: offsetMs - 3 * Math.sign(offsetMs) * TWENTY_MINUTES_MS });
      await held.release();
      const toBucket = await endOf(world, id);
      const toServer = await endOf(world, await startBackup(world, await jobTo(world, 'local')));
      return [toBucket, toServer].flatMap((row) =>
        mustHold(row.status === 'success' && row.attempts.length === 1, `${said(row)} with ${row.attempts.length} attempts`),
      );
    } finally {
      await held.release();
      await daemon.stop();
    }
  },
});

/** Everything is refused from the first part on. `world.heal` gives the bucket back. */
async function loseBucket(
  world: FaultWorld,
  answer: { status: number; code: string; expected: readonly string[] },
): Promise<Violation[]> {
  const job = await jobTo(world, 's3');
  const before = await goodBackup(world, job);
  const held = await holdDumps(world);
  try {
    const id = await startBackup(world, job);
    await held.waiting();
    const { status, code } = answer;
    world.s3Faults.add({ operation: EVERY_OPERATION, action: { kind: 'refuse', status, code }, times: Number.POSITIVE_INFINITY });
    await held.release();
    const start = performance.now();
    const ended = await endOf(world, id);
    const tookMs = Math.round(performance.now() - start);
    const writes = world.s3Faults.requests.filter(({ operation }) => ['CreateUpload', 'UploadPart'].includes(operation)).length;
    world.note(`${code}: ${ended.errorCode ?? ''} after ${tookMs} ms, ${writes} writes tried, "${ended.errorMessage ?? ''}"`);
    world.s3Faults.reset();
    const good = await backupOf(world, before.id);
    const next = await endOf(world, await startBackup(world, job));
    return [
      ...mustHold(ended.status === 'failed' && answer.expected.includes(ended.errorCode ?? ''), said(ended)),
      ...mustHold(tookMs <= FAST_MS, `failed only after ${tookMs} ms`),
      ...mustHold(writes <= 20, `${writes} writes were tried`),
      ...mustHold(good.status === 'success', `the old backup: ${said(good)}`),
      ...mustHold(next.status === 'success', `when the bucket was back: ${said(next)}`),
    ];
  } finally {
    await held.release();
  }
}

const revoked: FaultCase = {
  row: 35,
  title: 'the access to the bucket is revoked in the middle of a backup',
  run: (world) => loseBucket(world, { status: 403, code: 'AccessDenied', expected: ['S3_DENIED'] }),
};

const deletedBucket: FaultCase = {
  row: 35,
  title: 'the bucket is deleted in the middle of a backup',
  run: (world) => loseBucket(world, { status: 404, code: 'NoSuchBucket', expected: ['S3_BUCKET'] }),
};

export const bucketFaults: readonly FaultCase[] = [
  expiredAddress,
  skewedClock(TWENTY_MINUTES_MS, 'ahead'),
  skewedClock(-TWENTY_MINUTES_MS, 'behind'),
  revoked,
  deletedBucket,
];
