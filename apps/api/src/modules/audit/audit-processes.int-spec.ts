import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AuditCheckpointAnswer, AuditVerification } from '@rahatback/contracts';
import { tempDir, waitFor } from '@rahatback/testing';
import pg from 'pg';
import { startApi } from '../../testing/start-api.js';
import type { Registered, RunningApi } from '../../testing/start-api.js';
import { AuditSweep } from './audit-sweep.service.js';
import { AuditTrail } from './audit-trail.service.js';

const run = promisify(execFile);

describe('the audit log of two API processes', () => {
  let front: RunningApi;
  let back: RunningApi;
  let person: Registered;
  beforeAll(async () => {
    front = await startApi();
    const config = { keysDir: front.config.keysDir, storageRoot: front.config.storageRoot };
    back = await startApi({ database: front.postgres, redis: front.redis, config });
    person = await front.register();
  }, 90_000);
  afterAll(async () => {
    await back?.stop();
    await front?.stop();
  });

  const verify = async (api = front, of = person): Promise<AuditVerification> => {
    const { status, body } = await api.call('GET', '/v1/audit/verify', { token: of.accessToken });
    expect(status).toBe(200);
    return body as AuditVerification;
  };

  const record = (api: RunningApi, n: number): Promise<void> =>
    api.database.inWorkspace(person.workspaceId, (tx) =>
      api.app
        .get(AuditTrail)
        .record(tx, { workspaceId: person.workspaceId, actor: 'system', action: 'thing.done', detail: { n } }),
    );

  it('is one unbroken chain of 200 mutations made at once, while both sweep', async () => {
    const before = await verify();
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        (n % 2 === 0 ? front : back).call('PATCH', '/v1/workspace', { token: person.accessToken, body: { name: `Name ${n}` } }),
      ),
    );
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    let found = await verify();
    await waitFor(async () => (found = await verify(back)).unchained === 0, { describe: 'all rows to be chained' });
    expect(found).toMatchObject({ ok: true, brokenAt: null, rows: before.rows + 200, chained: before.rows + 200 });
    const places = await front.postgres.query(
      'SELECT count(*)::int, count(DISTINCT sequence)::int, min(sequence)::int, max(sequence)::int FROM audit_events WHERE workspace_id = $1',
      [person.workspaceId],
    );
    expect(places).toEqual([[found.rows, found.rows, 1, found.rows]]);
  }, 60_000);

  it('passes over no row of a transaction that began first and commits last', async () => {
    const { rows } = await verify();
    await front.database.inWorkspace(person.workspaceId, async (tx) => {
      await front.app.get(AuditTrail).record(tx, { workspaceId: person.workspaceId, actor: 'system', action: 'thing.begun' });
      await Promise.all([record(front, 1), record(back, 2)]);
      await front.app.get(AuditSweep).run();
    });
    await waitFor(async () => (await verify()).chained === rows + 3, { describe: 'the late row to be chained' });
    const [[last]] = (await front.postgres.query(
      'SELECT action FROM audit_events WHERE workspace_id = $1 ORDER BY sequence DESC LIMIT 1',
      [person.workspaceId],
    )) as [[string]];
    expect(last).toBe('thing.begun');
    expect(await verify()).toMatchObject({ ok: true, unchained: 0 });
  }, 60_000);

  it('is chained by eight sweeps at once as by one', async () => {
    await Promise.all(Array.from({ length: 50 }, (_, n) => record(n % 2 === 0 ? front : back, n)));
    const sweeps = [front, back].map((api) => api.app.get(AuditSweep));
    await Promise.all(Array.from({ length: 8 }, (_, n) => sweeps[n % 2]?.run() ?? Promise.reject(new Error('No sweep.'))));
    await waitFor(async () => (await verify()).unchained === 0, { describe: 'all rows to be chained' });
    expect(await verify()).toMatchObject({ ok: true });
  }, 60_000);

  it('can be read and changed by nobody of another workspace, and verified by owners and admins only', async () => {
    const other = await front.register();
    await waitFor(async () => (await verify(front, other)).checkpoints === 1, { describe: 'a checkpoint of the other' });
    const rowsOf = (table: string) =>
      front.database.inWorkspace(other.workspaceId, (tx) => tx.query<{ workspace_id: string }[]>(`SELECT * FROM ${table}`));
    for (const table of ['audit_events', 'audit_checkpoints']) {
      const rows = await rowsOf(table);
      expect(rows.length).toBeGreaterThan(0);
      expect(rows.filter((row) => row.workspace_id !== other.workspaceId)).toEqual([]);
    }
    const insert = front.database.inWorkspace(other.workspaceId, (tx) =>
      tx.query(`INSERT INTO audit_checkpoints VALUES ($1, 999999, 'x', now(), 'x', 'x')`, [person.workspaceId]),
    );
    await expect(insert).rejects.toThrow(/row-level security/);
    const exported = await fetch(`${front.url}/v1/audit/export`, { headers: { authorization: `Bearer ${other.accessToken}` } });
    expect(await exported.text()).not.toContain(person.workspaceId);
    await front.postgres.query(`UPDATE memberships SET role = 'operator' WHERE workspace_id = $1`, [other.workspaceId]);
    const token = other.accessToken;
    for (const path of ['verify', 'export'])
      expect(await front.call('GET', `/v1/audit/${path}`, { token })).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
    expect((await front.call('GET', '/v1/audit/checkpoint', { token })).status).toBe(200);
  }, 60_000);

  it.each([
    [
      'give a row a place of its own choice',
      `INSERT INTO audit_events (id, workspace_id, actor_type, action, outcome, sequence, previous_hash, hash)
      SELECT gen_random_uuid(), id, 'user', 'x', 'success', 9999, 'x', 'x' FROM workspaces LIMIT 1`,
    ],
    ['give a chained row another place', 'UPDATE audit_events SET sequence = sequence + 100000 WHERE sequence IS NOT NULL'],
    [
      'take a row out of the chain',
      'UPDATE audit_events SET sequence = NULL, previous_hash = NULL, hash = NULL WHERE sequence IS NOT NULL',
    ],
    ['change what a row says', `UPDATE audit_events SET detail = '{}'`],
    ['change a checkpoint', `UPDATE audit_checkpoints SET hash = 'x'`],
    ['delete checkpoints', 'DELETE FROM audit_checkpoints'],
    ['bring the trigger down', 'ALTER TABLE audit_events DISABLE TRIGGER ALL'],
    ['go around the trigger', 'SET session_replication_role = replica'],
  ])('does not let the application %s', async (_what, sql) => {
    await expect(front.database.asSystem('test', (tx) => tx.query(sql))).rejects.toThrow(/permission denied|must be owner/);
  });
});

describe('the sweep of the audit log', () => {
  let api: RunningApi;
  let person: Registered;
  beforeAll(async () => {
    api = await startApi({ worker: false });
    person = await api.register();
  }, 60_000);
  afterAll(() => api?.stop());

  const verify = async (): Promise<AuditVerification> =>
    (await api.call('GET', '/v1/audit/verify', { token: person.accessToken })).body as AuditVerification;

  const write = (count: number): Promise<void> =>
    api.database.inWorkspace(person.workspaceId, async (tx) => {
      const trail = api.app.get(AuditTrail);
      for (let n = 0; n < count; n += 1)
        await trail.record(tx, { workspaceId: person.workspaceId, actor: 'system', action: 'thing.done', detail: { n } });
    });

  it('that is killed in the middle leaves a whole chain, and the next one goes on', async () => {
    await write(1200);
    const sweep = api.app.get(AuditSweep);
    // A row of the second batch is held, so the sweep waits inside of its second transaction; there its connection is cut.
    const holder = new pg.Client({ connectionString: api.postgres.ownerUrl });
    await holder.connect();
    await holder.query(`BEGIN; SET LOCAL app.system = 'on'`);
    await holder.query(
      `SELECT 1 FROM audit_events WHERE id = (SELECT id FROM audit_events WHERE workspace_id = $1 ORDER BY at, id OFFSET 700 LIMIT 1) FOR UPDATE`,
      [person.workspaceId],
    );
    const swept = sweep.run();
    const waiting = `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE audit_events%'`;
    await waitFor(async () => (await api.postgres.query(waiting)).length === 1, { describe: 'the sweep to wait for the row' });
    expect(await verify()).toMatchObject({ ok: true, chained: 500, checkpoints: 1 });
    await api.postgres.query(`SELECT pg_terminate_backend(pid) FROM (${waiting}) held`);
    await swept;
    await holder.query('ROLLBACK');
    await holder.end();
    const cut = await verify();
    expect(cut).toMatchObject({ ok: true, chained: 500, unchained: cut.rows - 500 });
    await sweep.run();
    expect(await verify()).toMatchObject({ ok: true, chained: cut.rows, unchained: 0, checkpoints: 3 });
  }, 60_000);

  it('is checked from its export with Node alone, by the script of docs/AUDIT.md', async () => {
    await write(20);
    await api.app.get(AuditSweep).run();
    await api.app.get(AuditSweep).signOld(0);
    await write(1);
    const token = person.accessToken;
    const folder = await tempDir('rahatback-audit-');
    try {
      const script =
        /```js\n([\s\S]+?)```/.exec(await readFile(join(__dirname, '../../../../../docs/AUDIT.md'), 'utf8'))?.[1] ?? '';
      const [program, file] = [join(folder.path, 'verify-audit.mjs'), join(folder.path, 'audit.ndjson')];
      await writeFile(program, script);
      const answer = await fetch(`${api.url}/v1/audit/export`, { headers: { authorization: `Bearer ${token}` } });
      expect(answer.headers.get('content-type')).toContain('application/x-ndjson');
      const text = await answer.text();
      const { checkpoint, publicKey } = (await api.call('GET', '/v1/audit/checkpoint', { token })).body as AuditCheckpointAnswer;
      const check = async (content: string, ...more: string[]): Promise<string> => {
        await writeFile(file, content);
        return run(process.execPath, [program, file, publicKey, ...more]).then(
          ({ stdout }) => stdout.trim(),
          (error: { stdout: string }) => error.stdout.trim(),
        );
      };
      const { chained, checkpoints } = await verify();
      expect(await check(text)).toBe(`OK: ${chained} rows, ${checkpoints} checkpoints`);
      const lines = text.trimEnd().split('\n');
      const kept = [String(checkpoint.sequence), checkpoint.hash];
      expect(await check(text.replace('"n":7', '"n":8'), ...kept)).toMatch(/^BROKEN: row \d+ was changed$/);
      expect(await check(lines.toSpliced(4, 1).join('\n'))).toBe('BROKEN: row 5 is missing or out of place');
      const isCut = (line: string): boolean => Number(/"sequence":(\d+),"previousHash"/.exec(line)?.[1]) > chained - 3;
      const short = lines.filter((line) => !isCut(line));
      expect(short).toHaveLength(lines.length - 3);
      expect(await check(short.join('\n'))).toContain('names a row that is gone');
      const bare = short.filter((line) => !line.startsWith('{"checkpoint"'));
      expect(await check(bare.join('\n'))).toBe(`OK: ${chained - 3} rows, 0 checkpoints`);
      expect(await check(lines.slice(0, -1).join('\n'))).toBe('BROKEN: the export was cut off');
      expect(await check(bare.join('\n'), ...kept)).toContain('the kept checkpoint');
      expect(await check(text.replace(checkpoint.at, '2026-01-31T12:00:00.000000Z'))).toContain('is forged');
    } finally {
      await folder.remove();
    }
  }, 60_000);
});
