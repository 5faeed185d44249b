import { waitFor } from '@rahatback/testing';
import { Client } from 'pg';

/** What stands in the server's database besides what the API made. Ids are those of rows. */
export interface ApiRows {
  readonly databases: readonly string[];
  readonly jobs: readonly string[];
  readonly agents: readonly string[];
  /** Some of the newest backups, with an attempt each. */
  readonly backups: readonly string[];
}

export const OTHER_WORKSPACES = 4;
/** Each: a twentieth of the rows of the workspace that is asked. */
export const OTHER_SHARE = 20;
const DATABASES = 10;
const JOBS_PER_DATABASE = 3;
const NEWEST = 100_000;

/** As the product makes ids (UUID version 7), of a time and a number. */
const uuid = (at: string, salt: string): string =>
  `(lpad(to_hex((extract(epoch FROM ${at}) * 1000)::bigint), 12, '0') || '7' || substr(md5(${salt}), 1, 3) || '8' || substr(md5(${salt}), 4, 15))::uuid`;

/** Agents, storage, databases and jobs of one workspace, `$1`. */
const SURROUNDINGS = [
  `INSERT INTO agents (id, workspace_id, device_name, platform, version, sign_public_key, seal_public_key, fingerprint, last_seen_at)
   SELECT gen_random_uuid(), $1, 'server-' || i, 'linux x64', '1.0.0', 'none', 'none', 'none', now() FROM generate_series(1, 3) i`,
  `INSERT INTO storages (id, workspace_id, storage_type, name, settings) VALUES (gen_random_uuid(), $1, 'local', 'Disk', '{}')`,
  `INSERT INTO databases (id, workspace_id, agent_id, name, type, host, port, username, database_name)
   SELECT gen_random_uuid(), $1, agent.id, 'Shop ' || i, 'postgresql', 'localhost', 5432, 'shop', 'shop_' || i
   FROM generate_series(1, ${DATABASES}) i
   JOIN (SELECT id, row_number() OVER (ORDER BY device_name) AS n FROM agents WHERE workspace_id = $1) agent ON agent.n = 1 + i % 3`,
  `INSERT INTO jobs (id, workspace_id, database_id, storage_id, name)
   SELECT gen_random_uuid(), $1, database.id, (SELECT id FROM storages WHERE workspace_id = $1 LIMIT 1), database.name || ' job ' || i
   FROM databases database CROSS JOIN generate_series(1, ${JOBS_PER_DATABASE}) i WHERE database.workspace_id = $1`,
];

/** `$2` backups of workspace `$1`, one each half minute back from now: 94 % good, a third of these verified. */
const BACKUPS = `
  INSERT INTO backups (id, workspace_id, job_id, database_id, storage_id, agent_id, status, backup_type, compression, chain_id, tool_major,
    server_version, size_bytes, stored_bytes, manifest_sha256, started_at, completed_at, error_code, error_message,
    verification_status, verification_level, verified_at)
  SELECT ${uuid('at', 'i::text || $1::text')}, $1, job.id, job.database_id, job.storage_id, job.agent_id, status,
    CASE WHEN i % 7 = 0 THEN 'full' ELSE 'incremental' END, 'zstd', job.id, 15, '15.20', 300000000 + i, 60000000 + i, md5(i::text) || md5(i::text),
    at, at + interval '20 seconds',
    CASE WHEN status = 'failed' THEN 'DUMP_FAILED' END, CASE WHEN status = 'failed' THEN 'pg_dump ended with 1: connection refused.' END,
    CASE WHEN status = 'success' AND luck % 3 = 0 THEN CASE WHEN luck % 501 = 0 THEN 'FAILED' ELSE 'PASSED' END END, NULL, NULL
  FROM (SELECT i, now() - i * interval '30 seconds' AS at, i * 7919 % 1000 AS luck, i * 104729 % $3 AS nth FROM generate_series(1, $2::bigint) i) backup
  CROSS JOIN LATERAL (SELECT CASE WHEN luck < 940 THEN 'success' WHEN luck < 970 THEN 'failed' WHEN luck < 990 THEN 'skipped' ELSE 'cancelled' END AS status) state
  JOIN (SELECT jobs.id, jobs.database_id, jobs.storage_id, databases.agent_id, row_number() OVER (ORDER BY jobs.id) - 1 AS n
        FROM jobs JOIN databases ON databases.id = jobs.database_id WHERE jobs.workspace_id = $1) job ON job.n = nth`;

/** What details and lists of the newest backups read besides. */
const AROUND_NEWEST = [
  `INSERT INTO backup_attempts (backup_id, fence, workspace_id, attempt, command_id, state, steps, started_at, ended_at)
   SELECT id, 1, workspace_id, 1, gen_random_uuid(), 'success',
     jsonb_build_array(jsonb_build_object('name', 'connect', 'at', started_at), jsonb_build_object('name', 'dump', 'at', started_at)), started_at, completed_at
   FROM backups WHERE workspace_id = $1 ORDER BY started_at DESC LIMIT ${NEWEST}`,
  `INSERT INTO restores (id, workspace_id, backup_id, database_id, agent_id, command_id, fence, target_database, status, started_at, completed_at)
   SELECT gen_random_uuid(), workspace_id, id, database_id, agent_id, gen_random_uuid(), 1, 'restored', 'success', started_at, completed_at
   FROM (SELECT * FROM backups WHERE workspace_id = $1 ORDER BY started_at DESC LIMIT ${NEWEST}) newest WHERE size_bytes % 5 = 0`,
];

const TABLES = ['agents', 'storages', 'databases', 'jobs', 'backups', 'backup_attempts', 'restores'];

async function fillWorkspace(client: Client, workspaceId: string, rows: number): Promise<void> {
  for (const sql of SURROUNDINGS) await client.query(sql, [workspaceId]);
  await client.query('ANALYZE databases, jobs');
  await client.query(BACKUPS, [workspaceId, rows, DATABASES * JOBS_PER_DATABASE]);
}

async function idsOf(client: Client, sql: string, workspaceId: string): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(sql, [workspaceId]);
  return rows.map(({ id }) => id);
}

/** Does `work` without the table's indexes, and makes them again: sorted at once, they take a third of the time. */
async function withoutIndexes(client: Client, table: string, work: () => Promise<void>): Promise<void> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `SELECT indexname AS name, indexdef AS definition FROM pg_indexes WHERE schemaname = 'public' AND tablename = $1
     AND indexname NOT IN (SELECT conname FROM pg_constraint)`,
    [table],
  );
  for (const { name } of rows) await client.query(`DROP INDEX "${name}"`);
  await work();
  for (const { definition } of rows) await client.query(definition);
}

/** Until all pages are known to be visible to everybody: a transaction that is open somewhere holds that up. */
async function vacuumed(client: Client): Promise<void> {
  const isVisible = async (): Promise<boolean> => {
    await client.query(`VACUUM (ANALYZE) ${TABLES.join(', ')}`);
    const { rows } = await client.query<{ share: number }>(
      `SELECT relallvisible::float / relpages AS share FROM pg_class WHERE oid = 'backups'::regclass`,
    );
    return (rows[0]?.share ?? 0) > 0.99;
  };
  await waitFor(isVisible, { timeoutMs: 300_000, describe: 'the rows to be visible to everybody' });
}

/**
 * Writes `rows` backups for the workspace and a twentieth of that for each of four others, in one statement each. Foreign keys are not checked row by
 * row; what autovacuum would have done by the time that so many rows have gathered is done at once.
 * @param url of the server's database, as its superuser
 */
export async function fillHistory(url: string, workspaceId: string, rows: number): Promise<ApiRows> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('SET session_replication_role = replica');
    await withoutIndexes(client, 'backups', async () => {
      await fillWorkspace(client, workspaceId, rows);
      for (let nth = 1; nth <= OTHER_WORKSPACES; nth += 1) {
        const other = `INSERT INTO workspaces (id, name) VALUES (gen_random_uuid(), 'Other ${nth}') RETURNING id`;
        const [otherId = ''] = (await client.query<{ id: string }>(other)).rows.map(({ id }) => id);
        await fillWorkspace(client, otherId, Math.ceil(rows / OTHER_SHARE));
      }
    });
    for (const sql of AROUND_NEWEST) await client.query(sql, [workspaceId]);
    await vacuumed(client);
    const of = (table: string): string => `SELECT id FROM ${table} WHERE workspace_id = $1 ORDER BY id`;
    return {
      databases: await idsOf(client, of('databases'), workspaceId),
      jobs: await idsOf(client, of('jobs'), workspaceId),
      agents: await idsOf(client, of('agents'), workspaceId),
      backups: await idsOf(
        client,
        `SELECT id FROM backups WHERE workspace_id = $1 ORDER BY started_at DESC LIMIT ${NEWEST / 50}`,
        workspaceId,
      ),
    };
  } finally {
    await client.end();
  }
}
