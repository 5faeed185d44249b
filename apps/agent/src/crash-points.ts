import { crashPoint } from '@rahatback/backup-core';

/** Where the crash tests kill the agent, besides the points of the backup pipeline itself. */
export const AGENT_CRASH_POINTS = [
  'agent.cmd.received',
  'agent.cmd.acked',
  'agent.backup.started',
  'agent.upload.after_last_part',
  'agent.result.before_send',
  'agent.result.after_send',
] as const;
export type AgentCrashPoint = (typeof AGENT_CRASH_POINTS)[number];

export const agentCrashPoint = (point: AgentCrashPoint): void => crashPoint(point);
