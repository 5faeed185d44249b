import { agentLinkFaults } from './cases/agent-link.js';
import { bucketFaults } from './cases/bucket.js';
import { clonedAgentFaults } from './cases/cloned-agent.js';
import { diskFaults } from './cases/disks.js';
import { dumpToolFaults } from './cases/dump-tool.js';
import { hostileDumpFaults } from './cases/hostile-dumps.js';
import { partFaults } from './cases/parts.js';
import { postgresFaults } from './cases/postgres.js';
import { raceFaults } from './cases/races.js';
import { redisFaults } from './cases/redis.js';
import { restoreFaults } from './cases/restores.js';
import { serverKeyFaults } from './cases/server-keys.js';
import { slowStorageFaults } from './cases/slow-storage.js';
import { swapFaults } from './cases/swaps.js';
import { workerFaults } from './cases/workers.js';
import type { FaultCase } from './fault-case.js';

/** Every case, by row. A row may have several. */
export function allFaults(): readonly FaultCase[] {
  const all = [
    agentLinkFaults,
    bucketFaults,
    clonedAgentFaults,
    diskFaults,
    dumpToolFaults,
    hostileDumpFaults,
    partFaults,
    postgresFaults,
    raceFaults,
    redisFaults,
    restoreFaults,
    serverKeyFaults,
    slowStorageFaults,
    swapFaults,
    workerFaults,
  ];
  return all.flat().sort((a, b) => a.row - b.row);
}
