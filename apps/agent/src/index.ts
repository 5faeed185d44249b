export { runCli } from './cli/program.js';
export type { CliContext } from './cli/cli-context.js';
export { AGENT_CRASH_POINTS, type AgentCrashPoint } from './crash-points.js';
export { AgentDaemon, type DaemonOptions, type DaemonParts } from './daemon/agent-daemon.js';
export { AGENT_VERSION } from './version.js';
