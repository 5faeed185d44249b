#!/usr/bin/env node
import './heap-limits.js';
import { configureCrashPoints } from '@rahatback/backup-core';
import { AppError } from '@rahatback/contracts';
import { EXIT } from './cli/exit-codes.js';
import { runCli } from './cli/program.js';
import { loadConfig, type AgentConfig } from './config/agent-config.js';
import { AgentHome } from './state/agent-home.js';

function configOrExit(): AgentConfig {
  try {
    return loadConfig();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    process.stderr.write(`rahatback-agent: ${error.code}: ${error.message}\n`);
    process.exit(EXIT.badConfig);
  }
}

/** The first signal asks for an orderly end, the second one takes none. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(EXIT.interrupted);
      stop.abort(new AppError('CANCELLED', 'Interrupted.'));
    });
  }
  return stop.signal;
}

// Whatever this program creates is for its own user.
process.umask(0o077);
const config = configOrExit();
configureCrashPoints(config.faultSpec ?? undefined);
const { stdin, stdout, stderr } = process;
process.exitCode = await runCli(process.argv.slice(2), {
  config,
  home: new AgentHome(config.homeDir),
  stdin,
  stdout,
  stderr,
  signal: stopSignal(),
});
