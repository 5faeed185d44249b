import { spawnSync } from 'node:child_process';
import { chown } from 'node:fs/promises';

/** nobody and nogroup of Debian. */
const NOBODY_ID = 65_534;

const isRoot = (): boolean => process.getuid?.() === 0;

export interface Command {
  readonly binary: string;
  readonly args: readonly string[];
}

/**
 * Wraps a command so that it runs without privileges (as nobody when we are root, PostgreSQL refuses root) and gets `deathSignal`
 * when this process dies, so that a killed test run leaves no server behind. setpriv replaces itself: the pid stays the program's own.
 */
export function unprivileged(binary: string, args: readonly string[], deathSignal: 'TERM' | 'QUIT' | 'KILL' = 'KILL'): Command {
  const drop = isRoot() ? [`--reuid=${NOBODY_ID}`, `--regid=${NOBODY_ID}`, '--clear-groups'] : [];
  return { binary: 'setpriv', args: [...drop, '--pdeathsig', deathSignal, '--', binary, ...args] };
}

/** Gives a folder to the user that `unprivileged` runs as. */
export async function giveToUnprivileged(path: string): Promise<void> {
  if (isRoot()) await chown(path, NOBODY_ID, NOBODY_ID);
}

/** Whether that user can run the program: a clone below a 0700 folder is closed to nobody. */
export function unprivilegedCanRun(binary: string): boolean {
  const probe = unprivileged(binary, ['--version']);
  return spawnSync(probe.binary, [...probe.args], { stdio: 'ignore', cwd: '/' }).status === 0;
}
