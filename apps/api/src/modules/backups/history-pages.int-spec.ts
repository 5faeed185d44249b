import { randomUUID } from 'node:crypto';
import type { BackupView, HistoryQueryDto, Page } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import type { Tx } from '../../platform/database/database.js';
import type { RunningApi } from '../../testing/start-api.js';
import { startApi } from '../../testing/start-api.js';
import { countHistory, findHistory } from './backup-history.repository.js';
import { BackupScene } from './testing/backup-scene.js';

const ROWS = 20_000;
const JOBS = 8;

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly Plans?: readonly Plan[];
}

/** As a person may ask, and the index that the rows of the page come from. */
const PAGES: readonly (readonly [
  what: string,
  index: string,
  query: (ids: { job: string; database: string }) => HistoryQueryDto,
])[] = [
  ['everything', 'backups_history', () => ({})],
  ['a page far back', 'backups_history', () => ({ page: 100 })],
  ['one day', 'backups_history', () => ({ from: '2026-01-02T00:00:00Z', to: '2026-01-03T00:00:00Z' })],
  ['failed ones', 'backups_page_status', () => ({ status: 'failed' })],
  ['running ones, of which there are none', 'backups_page_status', () => ({ status: 'running' })],
  ['those of a job', 'backups_page_job_id', ({ job }) => ({ jobId: job })],
  ['those of a database', 'backups_page_database_id', ({ database }) => ({ databaseId: database })],
  ['failed ones of a database', 'backups_page_database_id', ({ database }) => ({ databaseId: database, status: 'failed' })],
  ['failed verifications', 'backups_page_verification_status', () => ({ verificationStatus: 'FAILED' })],
  ['differential ones', 'backups_page_backup_type', () => ({ backupType: 'differential' })],
];

const flat = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(flat)];

describe('pages of a long history', () => {
  let api: RunningApi;
  let scene: BackupScene;
  const jobs: string[] = [];
  const secondDatabase = randomUUID();

  beforeAll(async () => {
    api = await startApi({ worker: false });
    scene = await BackupScene.create(api);
    for (let count = 0; count < JOBS; count += 1) jobs.push(await scene.job());
    const { workspaceId } = scene.owner;
    await scene.sql(
      `INSERT INTO databases (id, workspace_id, agent_id, name, type, host, port, username, database_name)
       SELECT $2, workspace_id, agent_id, 'Second', type, host, port, username, database_name FROM databases WHERE id = $1`,
      [scene.databaseId, secondDatabase],
    );
    await scene.sql(
      `INSERT INTO backups (id, workspace_id, job_id, database_id, storage_id, agent_id, status, backup_type, compression, started_at, completed_at,
         verification_status, deleted_at)
       SELECT gen_random_uuid(), $1, ($2::uuid[])[1 + i % ${JOBS}], CASE WHEN i % 50 = 0 THEN $6::uuid ELSE $3::uuid END, $4, $5,
         CASE WHEN i % 100 = 7 THEN 'failed' ELSE 'success' END, CASE WHEN i % 200 = 3 THEN 'differential' ELSE 'full' END, 'zstd',
         timestamptz '2026-01-01 00:00:00Z' + i * interval '1 minute', timestamptz '2026-01-01 00:00:20Z' + i * interval '1 minute',
         CASE WHEN i % 400 = 1 THEN 'FAILED' WHEN i % 2 = 0 THEN 'PASSED' END, CASE WHEN i % 10 = 9 THEN now() END
       FROM generate_series(1, ${ROWS}) i`,
      [workspaceId, jobs, scene.databaseId, scene.storageId, scene.agent.id, secondDatabase],
    );
    // As autovacuum would have made it: pages that all see need no look into the table. A transaction that is open somewhere holds it up.
    const isVisible = async (): Promise<boolean> => {
      await scene.sql('VACUUM (ANALYZE) backups');
      const [row] = await scene.sql(`SELECT relallvisible = relpages FROM pg_class WHERE relname = 'backups'`);
      return row?.[0] === true;
    };
    await waitFor(isVisible, { timeoutMs: 60_000, describe: 'all rows to be visible to everybody' });
  }, 90_000);
  afterAll(() => api?.stop());

  /** The plans of every statement that `work` sends, in its workspace and as the application's role. */
  const plansOf = (work: (tx: Tx) => Promise<unknown>): Promise<Plan[][]> =>
    api.database.inWorkspace(scene.owner.workspaceId, async (tx) => {
      const runner = tx.queryRunner;
      if (!runner) throw new Error('A transaction has a query runner.');
      const plans: Plan[][] = [];
      const run = runner.query.bind(runner) as (sql: string, values?: unknown, structured?: boolean) => Promise<unknown>;
      const spy = jest.spyOn(runner, 'query').mockImplementation(async (sql: string, values?: unknown, structured?: boolean) => {
        const explained = (await run(`EXPLAIN (FORMAT JSON) ${sql}`, values)) as { 'QUERY PLAN': [{ Plan: Plan }] }[];
        plans.push(flat(explained[0]?.['QUERY PLAN'][0].Plan as Plan));
        return structured ? run(sql, values, true) : run(sql, values);
      });
      try {
        await work(tx);
      } finally {
        spy.mockRestore();
      }
      return plans;
    });

  it.each(PAGES)('%s: the page and its count come out of %s alone', async (_what, index, query) => {
    const asked = query({ job: jobs[0] ?? '', database: secondDatabase });
    const { workspaceId } = scene.owner;
    const skip = ((asked.page ?? 1) - 1) * 20;
    const [page, count] = await plansOf(async (tx) => {
      await findHistory(tx, workspaceId, asked, { skip, take: 20 });
      await countHistory(tx, workspaceId, asked, 10_001);
    });
    for (const plan of [page ?? [], count ?? []]) {
      const scans = plan.filter((node) => node['Relation Name'] === 'backups');
      expect(scans.map((node) => node['Node Type'])).not.toContain('Seq Scan');
      expect(scans.map((node) => node['Index Name'])).toContain(index);
      const ofPage = scans.filter((node) => node['Index Name'] === index);
      expect(ofPage.map((node) => node['Node Type'])).toEqual(['Index Only Scan']);
    }
    // The index has the order of the page: nothing is sorted below its limit.
    const limit = page?.find((node) => node['Node Type'] === 'Limit');
    expect(limit && flat(limit).map((node) => node['Node Type'])).not.toContain('Sort');
  });

  it('holds the newest first, without what was deleted, each once', async () => {
    const seen: BackupView[] = [];
    for (const page of [1, 2, 3]) {
      const { body } = await scene.call<Page<BackupView>>('GET', `/v1/backups/history?page=${page}&limit=7&jobId=${jobs[1]}`);
      expect(body).toMatchObject({ page, limit: 7 });
      seen.push(...body.results);
    }
    const expected = await scene.sql(
      'SELECT id::text FROM backups WHERE job_id = $1 AND deleted_at IS NULL ORDER BY started_at DESC, id DESC LIMIT 21',
      [jobs[1]],
    );
    expect(seen.map(({ id }) => [id])).toEqual(expected);
  });

  it('counts to 10,000 and knows the total of a last page without counting', async () => {
    const first = await scene.call<Page<BackupView>>('GET', '/v1/backups/history');
    expect(first.body).toMatchObject({ totalResults: 10_000, totalPages: 500, estimated: true });
    const failed = await scene.call<Page<BackupView>>('GET', '/v1/backups/history?status=failed');
    expect(failed.body).toMatchObject({ totalResults: 200, totalPages: 10 });
    expect(failed.body.estimated).toBeUndefined();
    const last = await scene.call<Page<BackupView>>('GET', '/v1/backups/history?status=failed&page=7&limit=30');
    expect(last.body).toMatchObject({ totalResults: 200, totalPages: 7, page: 7 });
    expect(last.body.results).toHaveLength(20);
    const beyond = await scene.call<Page<BackupView>>('GET', '/v1/backups/history?status=failed&page=99');
    expect(beyond.body).toMatchObject({ results: [], totalResults: 200, totalPages: 10 });
    const none = await scene.call<Page<BackupView>>('GET', '/v1/backups/history?status=running');
    expect(none.body).toMatchObject({ results: [], totalResults: 0, totalPages: 0 });
  });
});
