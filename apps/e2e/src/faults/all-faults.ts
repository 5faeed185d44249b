import { agentLinkFaults } from './cases/agent-link.js';
import { bucketFaults } from './cases/bucket.js';
import { diskFaults } from './cases/disks.js';
import { partFaults } from './cases/parts.js';
import { postgresFaults } from './cases/postgres.js';
import { redisFaults } from './cases/redis.js';
import { restoreFaults } from './cases/restores.js';
import { workerFaults } from './cases/workers.js';
import type { FaultCase } from './fault-case.js';

/** Every case, by row. A row may have several. */
export function allFaults(): readonly FaultCase[] {
  const all = [agentLinkFaults, bucketFaults, diskFaults, partFaults, postgresFaults, redisFaults, restoreFaults, workerFaults];
  return all.flat().sort((a, b) => a.row - b.row);
}
