import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { LeaseRow } from './lease.entity.js';

export interface LeaseRequest {
  /** `backup:<jobId>` or `restore:<databaseId>/<target>`. */
  readonly resource: string;
  readonly workspaceId: string;
  /** The agent that will work under the lease: only its heartbeats renew it. */
  readonly holder: string;
  /** The backup or restore that the lease serves. */
  readonly operationId: string;
  readonly ttlMs: number;
}

export interface LeaseRef {
  readonly resource: string;
  readonly fence: number;
}

const ttl = (ttlMs: number): string => `${Math.max(1, Math.round(ttlMs))} milliseconds`;

/**
 * Exclusive, expiring, fenced rights to work on a resource. The truth is one row per resource, judged by the database's clock only; every write
 * made under a lease says its fence, so a holder that wakes up late changes nothing.
 */
@Injectable()
export class LeaseService {
  /**
   * Takes a free or expired lease in the caller's transaction.
   * @returns the new fence, higher than any before it on this resource
   * @throws AppError ALREADY_RUNNING when someone holds it
   */
  async acquire(tx: Tx, request: LeaseRequest): Promise<number> {
    const rows = await tx.query<{ fence: string }[]>(
      `INSERT INTO leases AS l (resource, workspace_id, fence, holder, operation_id, expires_at)
       VALUES ($1, $2, 1, $3, $4, clock_timestamp() + $5::interval)
       ON CONFLICT (resource) DO UPDATE
         SET fence = l.fence + 1, holder = excluded.holder, operation_id = excluded.operation_id,
             expires_at = clock_timestamp() + $5::interval
         WHERE l.workspace_id = excluded.workspace_id AND (l.holder IS NULL OR l.expires_at < clock_timestamp())
       RETURNING fence`,
      [request.resource, request.workspaceId, request.holder, request.operationId, ttl(request.ttlMs)],
    );
    const row = rows[0];
    if (!row) {
      throw new AppError('ALREADY_RUNNING', 'This is already running. Wait until it has ended, or cancel it, then start again.');
    }
    return Number(row.fence);
  }

  /**
   * A new attempt of the same operation: the old fence is out from now on.
   * @throws AppError FENCED when `fence` no longer holds the resource
   */
  async bump(tx: Tx, resource: string, change: { fence: number; holder: string; ttlMs: number }): Promise<number> {
    const result = await tx
      .createQueryBuilder()
      .update(LeaseRow)
      .set({
        fence: () => 'fence + 1',
        holder: change.holder,
        expiresAt: () => 'clock_timestamp() + :ttl::interval',
      })
      .where('resource = :resource AND fence = :fence AND holder IS NOT NULL', { resource, fence: change.fence })
      .setParameter('ttl', ttl(change.ttlMs))
      .returning(['fence'])
      .execute();
    const row = (result.raw as { fence: string }[])[0];
    if (!row) throw new AppError('FENCED', 'Another attempt has taken over. This one ends here.');
    return Number(row.fence);
  }

  /**
   * Renews the agent's leases that are still alive. A lease that has run out is not revived: its operation is about to be failed.
   * @returns the items that the agent holds no live lease for
   */
  async renew<T extends LeaseRef>(tx: Tx, agentId: string, items: readonly T[], ttlMs: number): Promise<T[]> {
    if (items.length === 0) return [];
    // One statement in resource order: two heartbeats of one agent cannot lock each other out.
    const renewed = await tx.query<[{ resource: string; fence: string }[], number]>(
      `UPDATE leases SET expires_at = clock_timestamp() + $3::interval
       FROM (SELECT resource AS r, fence AS f FROM leases
             WHERE (resource, fence) IN (SELECT * FROM unnest($1::text[], $2::bigint[])) AND holder = $4 AND expires_at >= clock_timestamp()
             ORDER BY resource FOR UPDATE) held
       WHERE leases.resource = held.r AND leases.fence = held.f
       RETURNING leases.resource, leases.fence`,
      [items.map((item) => item.resource), items.map((item) => item.fence), ttl(ttlMs), agentId],
    );
    const alive = new Set(renewed[0].map((row) => `${row.fence} ${row.resource}`));
    return items.filter((item) => !alive.has(`${item.fence} ${item.resource}`));
  }

  /** Whether `fence` holds the resource now. Locks the row, so the answer stays true until the caller's transaction ends. */
  async holds(tx: Tx, resource: string, fence: number): Promise<boolean> {
    const rows = await tx.query<unknown[]>(
      `SELECT 1 FROM leases WHERE resource = $1 AND fence = $2 AND holder IS NOT NULL AND expires_at >= clock_timestamp() FOR UPDATE`,
      [resource, fence],
    );
    return rows.length > 0;
  }

  /** Gives the resource back. Does nothing when a newer fence holds it; may run twice. */
  async release(tx: Tx, resource: string, fence: number): Promise<void> {
    await tx
      .createQueryBuilder()
      .update(LeaseRow)
      .set({ holder: null, operationId: null, expiresAt: null })
      .where('resource = :resource AND fence = :fence', { resource, fence })
      .execute();
  }

  /** Held leases whose time has passed, oldest first, locked for the caller; those that another process is settling are left out. */
  expired(tx: Tx, limit: number): Promise<LeaseRow[]> {
    return tx
      .createQueryBuilder(LeaseRow, 'lease')
      .where('lease.holder IS NOT NULL AND lease.expiresAt < clock_timestamp()')
      .orderBy('lease.expiresAt')
      .limit(limit)
      .setLock('pessimistic_write')
      .setOnLocked('skip_locked')
      .getMany();
  }
}
