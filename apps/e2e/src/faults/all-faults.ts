import { agentLinkFaults } from './cases/agent-link.js';
import { bucketFaults } from './cases/bucket.js';
import { restoreFaults } from './cases/restores.js';
import type { FaultCase } from './fault-case.js';

/** Every case, by row. A row may have several. */
export function allFaults(): readonly FaultCase[] {
  return [...agentLinkFaults, ...bucketFaults, ...restoreFaults].sort((a, b) => a.row - b.row);
}
