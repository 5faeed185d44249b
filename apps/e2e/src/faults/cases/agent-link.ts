import { waitFor } from '@rahatback/testing';
import { waitOnline } from '../../system/agent-side.js';
import { mustHold, type FaultCase } from '../fault-case.js';
import { LEASE_MS, OFFLINE_AFTER_MS, type FaultWorld } from '../fault-world.js';
import { backupOf, endOf, goodBackup, holdDumps, isOnline, jobTo, said, startBackup } from '../operations.js';

/** The limits leave room for a busy machine. */
const OFFLINE_WITHIN_MS = OFFLINE_AFTER_MS + 14_000;
const FENCED_WITHIN_MS = LEASE_MS + 40_000;

const isLost = (world: FaultWorld, id: string): Promise<unknown> =>
  waitFor(async () => (await backupOf(world, id)).connection === 'lost', {
    timeoutMs: OFFLINE_WITHIN_MS,
    describe: 'the page to say that the agent is away',
  });

/** A partition that is over before the lease is: the work goes on and its result counts. */
const shortPartition: FaultCase = {
  row: 20,
  title: 'the agent is cut off in the middle of a backup, for less than its lease',
  async run(world) {
    const held = await holdDumps(world);
    try {
      const id = await startBackup(world, await jobTo(world, 'local'));
      await held.waiting();
      world.links.api.set({ isBlackHole: true });
      await isLost(world, id);
      const during = await backupOf(world, id);
      await held.release();
      world.links.api.heal();
      const ended = await endOf(world, id);
      return [
        ...mustHold(during.status === 'running', `${said(during)} although its lease was alive`),
        ...mustHold(ended.status === 'success', said(ended)),
        ...mustHold(ended.attempts.length === 1, `${ended.attempts.length} attempts, though one was enough`),
      ];
    } finally {
      await held.release();
    }
  },
};

/** An address that was given out before the cut is used during it. */
const uploadDuringPartition: FaultCase = {
  row: 20,
  title: 'the agent is cut off while a part is on its way to the bucket',
  async run(world) {
    const job = await jobTo(world, 's3');
    world.s3Faults.add({ operation: 'UploadPart', action: { kind: 'delay', delayMs: 2_000 } });
    const id = await startBackup(world, job);
    const isPutting = (): boolean => world.s3Faults.requests.some(({ operation }) => operation === 'UploadPart');
    await waitFor(isPutting, { describe: 'a part to be on its way', timeoutMs: 40_000 });
    world.links.api.set({ isBlackHole: true });
    await isLost(world, id);
    world.links.api.heal();
    const ended = await endOf(world, id);
    return [
      ...mustHold(ended.status === 'success', said(ended)),
      ...mustHold(ended.attempts.length === 1, `${ended.attempts.length} attempts, though one was enough`),
    ];
  },
};

const longPartition: FaultCase = {
  row: 21,
  title: 'the agent is cut off for longer than its lease, and ends its dump meanwhile',
  async run(world) {
    const job = await jobTo(world, 'local');
    const held = await holdDumps(world);
    try {
      const id = await startBackup(world, job);
      await held.waiting();
      world.links.api.set({ isBlackHole: true });
      const ended = await endOf(world, id, FENCED_WITHIN_MS);
      await held.release();
      world.links.api.heal();
      await waitOnline(world.person, 'agent-1');
      const next = await goodBackup(world, job);
      const after = await backupOf(world, id);
      return [
        ...mustHold(ended.status === 'failed' && ended.errorCode === 'LEASE_EXPIRED', said(ended)),
        ...mustHold(after.status === 'failed', `the late result changed the row: ${said(after)}`),
        ...mustHold((next.attempts[0]?.fence ?? 0) > (ended.attempts[0]?.fence ?? 0), 'the next backup has no higher fence'),
      ];
    } finally {
      await held.release();
    }
  },
};

const halfOpen: FaultCase = {
  row: 22,
  title: 'the connection is half open: bytes vanish and no reset comes',
  async run(world) {
    const before = world.agent.daemon.log().length;
    const start = performance.now();
    world.links.api.set({ isBlackHole: true });
    const elapsed = (): number => Math.round(performance.now() - start);
    const seen: { server?: number; agent?: number } = {};
    await waitFor(
      async () => {
        if (!(await isOnline(world))) seen.server ??= elapsed();
        if (world.agent.daemon.log().slice(before).includes('Disconnected')) seen.agent ??= elapsed();
        return seen.server !== undefined && seen.agent !== undefined;
      },
      { timeoutMs: OFFLINE_WITHIN_MS, describe: 'both sides to notice' },
    ).catch(() => undefined);
    world.note(
      `with a limit of ${OFFLINE_AFTER_MS / 1_000} s (45 s by default): server after ${seen.server ?? '?'} ms, agent after ${seen.agent ?? '?'} ms`,
    );
    world.links.api.heal();
    await waitOnline(world.person, 'agent-1');
    return [
      ...mustHold(seen.server !== undefined, 'the server did not notice'),
      ...mustHold(seen.agent !== undefined, 'the agent did not notice'),
      ...mustHold((await goodBackup(world, await jobTo(world, 'local'))).status === 'success', 'no backup afterwards'),
    ];
  },
};

export const agentLinkFaults: readonly FaultCase[] = [shortPartition, uploadDuringPartition, longPartition, halfOpen];
