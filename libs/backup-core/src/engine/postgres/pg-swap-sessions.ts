import { AppError } from '@rahatback/contracts';
import type { Client } from 'pg';
import { setTimeout as pause } from 'node:timers/promises';
import { rowsOf } from './pg-client.js';
import type { MarkedDatabase } from './pg-swap-marks.js';

const POLL_MS = 20;
const NAMED_GROUPS = 8;

export interface SessionGroup {
  readonly database: string;
  readonly user: string;
  readonly application: string;
  readonly sessions: number;
}

/** Sessions of people and programs on these databases; those of the server itself (autovacuum) have no user and give way by themselves. */
const SESSIONS = `FROM pg_catalog.pg_stat_activity WHERE datname = ANY($1) AND pid <> pg_catalog.pg_backend_pid() AND usesysid IS NOT NULL`;

export async function sessionGroups(client: Client, databases: readonly string[]): Promise<readonly SessionGroup[]> {
  const text = `SELECT datname, COALESCE(usename, '?'), COALESCE(NULLIF(application_name, ''), 'unnamed'), count(*) ${SESSIONS}
    GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3`;
  return (await rowsOf(client, text, [databases])).map(([database, user, application, sessions]) => ({
    database: database ?? '',
    user: user ?? '',
    application: application ?? '',
    sessions: Number(sessions),
  }));
}

/** `shop: 12 × user web (application api)` */
export function sessionWords(groups: readonly SessionGroup[]): string {
  const shown = groups
    .slice(0, NAMED_GROUPS)
    .map(({ database, user, application, sessions }) => `${database}: ${sessions} × user ${user} (application ${application})`);
  const more = groups.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more kinds` : ''}`;
}

export const busyError = (groups: readonly SessionGroup[], next: string): AppError =>
  new AppError('SWAP_REFUSED', `There are open sessions on ${sessionWords(groups)}. ${next}`, { sessions: groups });

const pidsOf = async (client: Client, databases: readonly string[]): Promise<readonly string[]> =>
  (await rowsOf(client, `SELECT pid::text ${SESSIONS}`, [databases])).map(([pid]) => pid ?? '');

/** Counts each session that was there once, however it ended. */
export class Drain {
  private readonly seen = new Set<string>();

  constructor(
    private readonly client: Client,
    private readonly databases: readonly string[],
  ) {}

  get drainedSessions(): number {
    return this.seen.size;
  }

  /** Waits at most `waitMs` for all sessions to end by themselves. @returns whether none is left */
  async wait(waitMs: number, signal: AbortSignal): Promise<boolean> {
    const until = performance.now() + waitMs;
    for (;;) {
      signal.throwIfAborted();
      if ((await this.look()) === 0) return true;
      const left = until - performance.now();
      if (left <= 0) return false;
      // Longer pauses in a longer drain: nobody notices, and the server is asked less.
      await pause(Math.min(left, Math.max(POLL_MS, Math.min(500, waitMs / 100))));
    }
  }

  /**
   * Ends what is left, again and again, until nothing is.
   * @returns whether nothing is left by `deadline` (performance.now)
   * @throws AppError SWAP_REFUSED when this user may not end a session
   */
  async terminate(deadline: number): Promise<boolean> {
    for (;;) {
      if ((await this.look()) === 0) return true;
      if (performance.now() >= deadline) return false;
      try {
        await this.client.query(`SELECT pg_catalog.pg_terminate_backend(pid) ${SESSIONS}`, [this.databases]);
      } catch (error) {
        if ((error as { code?: string }).code !== '42501') throw error;
        throw busyError(
          await sessionGroups(this.client, this.databases),
          `This user may not end them (${(error as Error).message}). Grant it pg_signal_backend, or end those of superusers by hand.`,
        );
      }
      await pause(POLL_MS);
    }
  }

  private async look(): Promise<number> {
    const pids = await pidsOf(this.client, this.databases);
    for (const pid of pids) this.seen.add(pid);
    return pids.length;
  }
}

/** What keeps a database from being renamed, or would be cut off from its data without a word. @throws AppError SWAP_REFUSED */
export async function assertNothingBound(client: Client, { name, oid }: MarkedDatabase): Promise<void> {
  const refuse = (sentence: string, found: readonly string[]): AppError =>
    new AppError('SWAP_REFUSED', `${sentence}: ${found.join(', ')}.`, { database: name, found });
  const list = async (text: string, values: readonly unknown[]): Promise<string[]> =>
    (await rowsOf(client, text, values)).map(([found]) => found ?? '');
  const prepared = await list('SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = $1', [name]);
  if (prepared.length > 0)
    throw refuse(`${name} has prepared transactions; run COMMIT PREPARED or ROLLBACK PREPARED for each first`, prepared);
  const slots = await list('SELECT slot_name FROM pg_catalog.pg_replication_slots WHERE database = $1', [name]);
  if (slots.length > 0)
    throw refuse(
      `${name} has logical replication slots, which stay with the old data and would send nothing of the new; drop them, swap, and set the replication up again`,
      slots,
    );
  const subscriptions = await list('SELECT subname FROM pg_catalog.pg_subscription WHERE subdbid = $1::oid AND subenabled', [
    oid,
  ]);
  if (subscriptions.length > 0)
    throw refuse(
      `${name} subscribes to other databases, and a restored copy would not go on where it stopped; disable the subscriptions first`,
      subscriptions,
    );
}
