import type { AgentView } from '@rahatback/contracts';
import type { AgentRow } from './agent.entity.js';

export const toAgentView = (agent: AgentRow, isOnline: boolean): AgentView => ({
  id: agent.id,
  deviceName: agent.deviceName,
  label: agent.label,
  platform: agent.platform,
  version: agent.version,
  status: agent.state === 'active' ? (isOnline ? 'online' : 'offline') : agent.state,
  fingerprint: agent.fingerprint,
  signPublicKey: agent.signPublicKey,
  sealPublicKey: agent.sealPublicKey,
  tools: agent.tools,
  lastSeenAt: agent.lastSeenAt?.toISOString() ?? null,
  createdAt: agent.createdAt.toISOString(),
});
