import { Injectable } from '@nestjs/common';
import type { AuditCheckpoint } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import type { AuditFacts, ChainedEvent, ChainHead } from './audit-chain.js';
import { EMPTY_CHAIN } from './audit-chain.js';

const utc = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const FACTS = `id, workspace_id AS "workspaceId", ${utc('at')} AS at, actor_type AS "actorType", actor_id AS "actorId", action,
  target_type AS "targetType", target_id AS "targetId", outcome, ip, correlation_id AS "correlationId", detail`;

const CHECKPOINT = `workspace_id AS "workspaceId", sequence, hash, ${utc('at')} AS at, key_id AS "keyId", signature`;

/** bigint comes as text from the driver. */
const numbered = <T extends { sequence: unknown }>(row: T): T => ({ ...row, sequence: Number(row.sequence) });

export interface ChainCounts {
  readonly rows: number;
  readonly chained: number;
  readonly unchained: number;
}

/** The chain of the transaction's workspace. */
@Injectable()
export class AuditChainRepository {
  /** Needs the system path: workspaces that have rows without a place. */
  async workspacesToChain(tx: Tx): Promise<string[]> {
    const rows = await tx.query<{ id: string }[]>('SELECT DISTINCT workspace_id AS id FROM audit_events WHERE sequence IS NULL');
    return rows.map(({ id }) => id);
  }

  /** Needs the system path: how long the oldest row of all workspaces has been without a place; 0 when all have theirs. */
  async unchainedAgeSeconds(tx: Tx): Promise<number> {
    const [row] = await tx.query<{ age: number }[]>(
      `SELECT coalesce(extract(epoch FROM now() - min(at)), 0)::float AS age FROM audit_events WHERE sequence IS NULL`,
    );
    return row?.age ?? 0;
  }

  /** Needs the system path: workspaces whose chain went on since a checkpoint that is older than `ageMs`. */
  async workspacesToSign(tx: Tx, ageMs: number): Promise<string[]> {
    const rows = await tx.query<{ id: string }[]>(
      `SELECT w.id FROM workspaces w
       JOIN LATERAL (SELECT sequence FROM audit_events e WHERE e.workspace_id = w.id AND sequence IS NOT NULL ORDER BY sequence DESC LIMIT 1) head ON true
       LEFT JOIN LATERAL (SELECT sequence, at FROM audit_checkpoints c WHERE c.workspace_id = w.id ORDER BY sequence DESC LIMIT 1) newest ON true
       WHERE newest.sequence IS NULL OR (newest.sequence < head.sequence AND newest.at < now() - $1 * interval '1 millisecond')`,
      [ageMs],
    );
    return rows.map(({ id }) => id);
  }

  /** Until the end of the transaction nobody else lengthens this chain; false when somebody else is at it. */
  async lock(tx: Tx, workspaceId: string): Promise<boolean> {
    const [row] = await tx.query<{ locked: boolean }[]>(
      `SELECT pg_try_advisory_xact_lock(hashtextextended('audit chain ' || $1, 0)) AS locked`,
      [workspaceId],
    );
    return row?.locked ?? false;
  }

  async head(tx: Tx, workspaceId: string): Promise<ChainHead> {
    const [row] = await tx.query<ChainHead[]>(
      'SELECT sequence, hash FROM audit_events WHERE workspace_id = $1 AND sequence IS NOT NULL ORDER BY sequence DESC LIMIT 1',
      [workspaceId],
    );
    return row ? numbered(row) : EMPTY_CHAIN;
  }

  unchained(tx: Tx, workspaceId: string, limit: number): Promise<AuditFacts[]> {
    return tx.query<AuditFacts[]>(
      `SELECT ${FACTS} FROM audit_events WHERE workspace_id = $1 AND sequence IS NULL ORDER BY audit_events.at, id LIMIT $2`,
      [workspaceId, limit],
    );
  }

  /** Throws when a row was given a place meanwhile: then nothing is written. */
  async chain(tx: Tx, events: readonly ChainedEvent[]): Promise<void> {
    const [, count] = await tx.query<[unknown[], number]>(
      `UPDATE audit_events e SET sequence = p.sequence, previous_hash = p.previous_hash, hash = p.hash
       FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[]) AS p (id, sequence, previous_hash, hash)
       WHERE e.id = p.id AND e.sequence IS NULL`,
      [
        events.map(({ id }) => id),
        events.map(({ sequence }) => sequence),
        events.map(({ previousHash }) => previousHash),
        events.map(({ hash }) => hash),
      ],
    );
    if (count !== events.length)
      throw new Error(`${events.length - count} of ${events.length} audit rows were chained by others.`);
  }

  async eventsAfter(tx: Tx, workspaceId: string, sequence: number, limit: number): Promise<ChainedEvent[]> {
    const rows = await tx.query<ChainedEvent[]>(
      `SELECT ${FACTS}, sequence, previous_hash AS "previousHash", hash FROM audit_events
       WHERE workspace_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`,
      [workspaceId, sequence, limit],
    );
    return rows.map(numbered);
  }

  async checkpointsBetween(tx: Tx, workspaceId: string, after: number, upTo: number): Promise<AuditCheckpoint[]> {
    const rows = await tx.query<AuditCheckpoint[]>(
      `SELECT ${CHECKPOINT} FROM audit_checkpoints WHERE workspace_id = $1 AND sequence > $2 AND sequence <= $3 ORDER BY sequence`,
      [workspaceId, after, upTo],
    );
    return rows.map(numbered);
  }

  async newestCheckpoint(tx: Tx, workspaceId: string): Promise<AuditCheckpoint | undefined> {
    const [row] = await tx.query<AuditCheckpoint[]>(
      `SELECT ${CHECKPOINT} FROM audit_checkpoints WHERE workspace_id = $1 ORDER BY sequence DESC LIMIT 1`,
      [workspaceId],
    );
    return row && numbered(row);
  }

  async addCheckpoint(tx: Tx, { workspaceId, sequence, hash, at, keyId, signature }: AuditCheckpoint): Promise<void> {
    await tx.query(
      'INSERT INTO audit_checkpoints (workspace_id, sequence, hash, at, key_id, signature) VALUES ($1, $2, $3, $4, $5, $6)',
      [workspaceId, sequence, hash, at, keyId, signature],
    );
  }

  /** The database's clock, in the form that is signed. */
  async now(tx: Tx): Promise<string> {
    const [row] = await tx.query<{ at: string }[]>(`SELECT ${utc('clock_timestamp()')} AS at`);
    if (!row) throw new Error('PostgreSQL gave no time.');
    return row.at;
  }

  /** A second row for one place, or one before the first: what a walk along the places could pass by. */
  async extraRow(tx: Tx, workspaceId: string): Promise<{ sequence: number; id: string } | undefined> {
    const [row] = await tx.query<{ sequence: number; id: string }[]>(
      `SELECT sequence, max(id::text) AS id FROM audit_events WHERE workspace_id = $1 AND sequence IS NOT NULL
       GROUP BY sequence HAVING count(*) > 1 OR sequence < 1 ORDER BY sequence LIMIT 1`,
      [workspaceId],
    );
    return row && numbered(row);
  }

  async counts(tx: Tx, workspaceId: string): Promise<ChainCounts> {
    const [row] = await tx.query<ChainCounts[]>(
      `SELECT count(*)::int AS rows, count(sequence)::int AS chained, (count(*) - count(sequence))::int AS unchained
       FROM audit_events WHERE workspace_id = $1`,
      [workspaceId],
    );
    return row ?? { rows: 0, chained: 0, unchained: 0 };
  }
}
