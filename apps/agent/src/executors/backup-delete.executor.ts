import type { Executor } from '../commands/executor.js';
import { reportBase } from '../commands/executor.js';
import { policyRefusal, readPolicy } from '../state/policy.js';
import { removeAttempt } from '../storage/remove-attempt.js';
import type { ExecutorParts } from './executor-parts.js';

/** `backup:delete`: takes one attempt off this agent's own disk. May run again and again. */
export const backupDeleteExecutor =
  ({ home }: Pick<ExecutorParts, 'home'>): Executor<'backup:delete'> =>
  async ({ command, signal }) => {
    if (!(await readPolicy(home)).deletes) throw policyRefusal('deletes');
    await removeAttempt(home, command.payload, signal);
    return { state: 'succeeded', result: { event: 'backup:delete:result', message: { ...reportBase(command) } } };
  };
