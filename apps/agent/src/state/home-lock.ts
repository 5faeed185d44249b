import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { AppError } from '@rahatback/contracts';
import type { AgentHome } from './agent-home.js';

const SQLITE_BUSY = 5;
const HOLD = 'PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE';

/** Held until the process ends or lets go: two daemons on one home would run every command twice. */
export interface HomeLock {
  release(): void;
}

const isBusy = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'errcode' in error && error.errcode === SQLITE_BUSY;

function tryLock(home: AgentHome, waitMs: number): HomeLock | 'busy' {
  // SQLite would create it readable by others.
  closeSync(openSync(home.lockFile, 'a', 0o600));
  const database = new DatabaseSync(home.lockFile, { timeout: waitMs });
  try {
    database.exec(HOLD);
  } catch (error) {
    database.close();
    if (isBusy(error)) return 'busy';
    throw error;
  }
  return { release: () => database.close() };
}

/**
 * Locks the home through SQLite's own file locks: the kernel lets go when the process dies by whatever means, so no stale lock can stay, and
 * it works between containers that share the folder and on every system that Node runs on.
 * @param waitMs how long to wait for the other to let go; covers a `status` call that looks at the same moment
 * @throws AppError CONFLICT when another process holds it
 */
export function lockHome(home: AgentHome, waitMs = 2_000): HomeLock {
  const lock = tryLock(home, waitMs);
  if (lock === 'busy') {
    throw new AppError(
      'CONFLICT',
      `Another agent already runs on ${home.path}: stop it first, or give this one a folder of its own with RAHATBACK_AGENT_HOME.`,
    );
  }
  return lock;
}

/** Whether a daemon runs on this home now. */
export function isHomeLocked(home: AgentHome): boolean {
  const lock = tryLock(home, 0);
  if (lock === 'busy') return true;
  lock.release();
  return false;
}
