import { waitFor } from '@rahatback/testing';
import { mustHold, type FaultCase } from '../fault-case.js';
import { backupOf, endOf, holdDumps, jobTo, said, startBackup } from '../operations.js';

/** TEST_TIMES: an agent that was silent for 3 s is offline, and its lease ends after 10 s. */
const OFFLINE_WITHIN_MS = 15_000;

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
      await waitFor(async () => (await backupOf(world, id)).connection === 'lost', {
        timeoutMs: OFFLINE_WITHIN_MS,
        describe: 'the page to say that the agent is away',
      });
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

export const agentLinkFaults: readonly FaultCase[] = [shortPartition];
