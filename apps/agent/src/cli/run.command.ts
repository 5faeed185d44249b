import type { Command } from 'commander';
import { AppError } from '@rahatback/contracts';
import { AgentDaemon } from '../daemon/agent-daemon.js';
import { productionParts } from '../daemon/production-parts.js';
import { createLog } from '../log.js';
import type { CliContext } from './cli-context.js';
import { EXIT } from './exit-codes.js';

const whenAborted = (signal: AbortSignal): Promise<'stop'> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve('stop');
    else signal.addEventListener('abort', () => resolve('stop'), { once: true });
  });

async function start(context: CliContext): Promise<AgentDaemon | undefined> {
  const { config, home } = context;
  const log = createLog(config.logLevel);
  try {
    return await AgentDaemon.start({ home, config, log, parts: productionParts(config, home, log) });
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'CONFLICT') throw error;
    context.stderr.write(`rahatback-agent: ${error.code}: ${error.message}\n`);
    context.setExitCode(EXIT.alreadyRunning);
    return undefined;
  }
}

async function run(context: CliContext): Promise<void> {
  const daemon = await start(context);
  if (daemon === undefined) return;
  const ended = await Promise.race([daemon.revoked, whenAborted(context.signal)]);
  await daemon.stop();
  if (ended === 'stop') return;
  throw ended;
}

export function addRunCommand(program: Command, context: CliContext): void {
  program
    .command('run')
    .description('run the agent; logs are JSON lines on standard output')
    .action(() => run(context));
}
