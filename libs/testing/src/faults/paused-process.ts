import { readFileSync } from 'node:fs';
import { waitFor } from '../wait-for.js';

function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  } catch {
    return undefined;
  }
}

/**
 * SIGSTOP to one process, as a host does that suspends its guest: its sockets stay open and nothing in it runs. Resolves when it stands still.
 * @returns lets it go on (SIGCONT); may run twice, and after the process has ended
 * @throws Error when the process does not stand still
 */
export async function pauseProcess(pid: number): Promise<() => void> {
  process.kill(pid, 'SIGSTOP');
  await waitFor(() => stateOf(pid) === 'T', { describe: `process ${pid} to stand still`, timeoutMs: 5_000 });
  return () => {
    if (stateOf(pid) === 'T') process.kill(pid, 'SIGCONT');
  };
}
