import type { TrustAnswer } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { AgentRow } from '../agents/index.js';

/** All agents of a workspace, also revoked ones: what they signed is still theirs. */
export const signersOf = async (tx: Tx, workspaceId: string): Promise<TrustAnswer['agents']> => {
  const agents = await tx.find(AgentRow, { where: { workspaceId }, order: { createdAt: 'ASC', id: 'ASC' } });
  return agents.map(({ id, deviceName, signPublicKey, fingerprint }) => ({
    agentId: id,
    deviceName,
    signPublicKey,
    fingerprint,
  }));
};
