import type { Tx } from '../../platform/database/database.js';

/** What the commands about one attempt's folder are ordered by: each new one has a higher fence. */
export const removalResource = ({ backupId, fence }: { readonly backupId: string; readonly fence: number }): string =>
  `delete:${backupId}/${fence}`;

export const exportResource = (backupId: string): string => `export:${backupId}`;

const OPEN = `('queued','sent','accepted','running')`;

/** SQL: an agent has the order to remove this attempt (or, without `fence`, any of the backup) and has not answered. All three are column names. */
export const removalIsUnderWay = (agentId: string, backupId: string, fence?: string): string =>
  `EXISTS (SELECT 1 FROM commands c WHERE c.agent_id = ${agentId} AND c.type = 'backup:delete' AND c.state IN ${OPEN}
     AND ${fence === undefined ? `c.payload -> 'location' ->> 'backupId' = ${backupId}::text` : `c.resource = 'delete:' || ${backupId} || '/' || ${fence}`})`;

export interface LastOrderOf {
  readonly id: string;
  readonly fence: number;
  readonly state: string;
  readonly isOpen: boolean;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

/** The newest command of a resource; no other process adds one until the caller's transaction ends. */
export const lastOrderOf = async (
  tx: Tx,
  type: 'backup:delete' | 'backup:export',
  resource: string,
): Promise<LastOrderOf | null> => {
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`command ${resource}`]);
  const rows = await tx.query<LastOrderOf[]>(
    `SELECT id, fence::float8 AS fence, state, state IN ${OPEN} AS "isOpen", created_at AS "createdAt", ended_at AS "endedAt"
     FROM commands WHERE resource = $1 AND type = $2 AND type IN ('backup:delete','backup:export') ORDER BY sequence DESC LIMIT 1`,
    [resource, type],
  );
  return rows[0] ?? null;
};

/** An agent writes this backup's dump into a file, or is about to. The links that it reads are kept by the backup itself. */
export const isBeingExported = async (
  tx: Tx,
  { id, agentId }: { readonly id: string; readonly agentId: string },
): Promise<boolean> => {
  const rows = await tx.query<unknown[]>(
    `SELECT 1 FROM commands WHERE agent_id = $2 AND resource = $1 AND type = 'backup:export' AND state IN ${OPEN} LIMIT 1`,
    [exportResource(id), agentId],
  );
  return rows.length > 0;
};

/** Why the agent did not remove a backup when it was last asked; null when it was not asked, or has removed what it was asked for. */
export const removalErrorOf = async (
  tx: Tx,
  { id, agentId }: { readonly id: string; readonly agentId: string },
): Promise<{ code: string; message: string } | null> => {
  const rows = await tx.query<{ code: string | null; message: string | null }[]>(
    `SELECT result -> 'error' ->> 'code' AS code, result -> 'error' ->> 'message' AS message FROM commands
     WHERE agent_id = $2 AND type = 'backup:delete' AND payload -> 'location' ->> 'backupId' = $1 AND state NOT IN ${OPEN}
     ORDER BY sequence DESC LIMIT 1`,
    [id, agentId],
  );
  const { code = null, message = null } = rows[0] ?? {};
  return code === null || message === null ? null : { code, message };
};
