import { openBackup, type OpenBackup } from '@rahatback/backup-core';
import type { CommandEnvelope, PreflightFinding, PreflightResult } from '@rahatback/contracts';
import { reportBase, type Execution, type Executor } from '../commands/executor.js';
import { deferred } from '../deferred.js';
import { asAppError } from '../errors.js';
import { policyRefusal, readPolicy } from '../state/policy.js';
import { engineOf, ownBackups, type ExecutorParts } from './executor-parts.js';
import { linkOf } from './restore.executor.js';
import { withTarget } from './restore-swap.executor.js';

type PreflightRun = Execution<'restore:preflight'>;

/** `restore:preflight`: everything that a restore will need, before it is begun. What it finds is its answer, also that the server is away. */
export const preflightExecutor =
  (parts: ExecutorParts): Executor<'restore:preflight'> =>
  async (run) => {
    const { promise: stopped, reject } = deferred<never>();
    const stop = (): void => reject(asAppError(run.signal.reason));
    run.signal.addEventListener('abort', stop, { once: true });
    try {
      const findings = await Promise.race([examine(parts, run), stopped]);
      const message: PreflightResult = { ...reportBase(run.command), findings };
      return { state: 'succeeded', result: { event: 'restore:preflight:result', message: { ...message } } };
    } finally {
      run.signal.removeEventListener('abort', stop);
    }
  };

async function examine(parts: ExecutorParts, { command, signal }: PreflightRun): Promise<readonly PreflightFinding[]> {
  const { connection, targetDatabase, liveDatabase, selection } = command.payload;
  const engine = engineOf(connection.type);
  const { backup, finding } = await openIt(parts, command, signal);
  const tools = await parts.tools(engine);
  const request = { targetDatabase, liveDatabase, selection, facts: backup?.facts ?? null, tools };
  const found = await withTarget(parts, command, (access) => engine.examine(access, request));
  return [...found, finding, ...(liveDatabase === null ? [] : await policyFindings(parts))];
}

/** Whether this agent finds the backup, trusts it and can open it, with every link that it points into. */
async function openIt(
  parts: ExecutorParts,
  command: CommandEnvelope<'restore:preflight'>,
  signal: AbortSignal,
): Promise<{ backup: OpenBackup | null; finding: PreflightFinding }> {
  const backups = ownBackups(parts, command, signal);
  try {
    const { backup: location, links } = command.payload;
    const linkSource = (backupId: string) => backups.open(linkOf(links, backupId)).source;
    const backup = await openBackup({ ...backups.open(location), linkSource });
    return { backup, finding: { subject: 'key', severity: 'ok', message: 'This agent can open the backup.' } };
  } catch (error) {
    const { code, message, details } = asAppError(error);
    return { backup: null, finding: { subject: 'key', severity: 'blocker', message, details: { code, ...details } } };
  } finally {
    backups.close();
  }
}

async function policyFindings({ home }: ExecutorParts): Promise<readonly PreflightFinding[]> {
  if ((await readPolicy(home)).restoreOverLive) return [];
  const { code, message } = policyRefusal('restoreOverLive');
  return [{ subject: 'privileges', severity: 'blocker', message, details: { code } }];
}
