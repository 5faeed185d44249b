import type { AuditCheckpointAnswer, AuditVerification } from '@rahatback/contracts';
import { generateSigningKeyPair } from '@rahatback/crypto';
import { startApi } from '../../testing/start-api.js';
import type { Registered, RunningApi } from '../../testing/start-api.js';
import { chainEvents, signCheckpoint } from './audit-chain.js';
import { AuditChainRepository } from './audit-chain.repository.js';
import { AuditSweep } from './audit-sweep.service.js';
import { AuditTrail } from './audit-trail.service.js';

/** Superuser and trigger out of the way: what somebody does who has the database's machine. */
const behindTheBack = async (api: RunningApi, sql: string): Promise<void> => {
  await api.postgres.query(`SET session_replication_role = replica; ${sql}; RESET session_replication_role`);
};

const write = (api: RunningApi, workspaceId: string, count: number): Promise<void> =>
  api.database.inWorkspace(workspaceId, async (tx) => {
    for (let n = 1; n <= count; n += 1)
      await api.app
        .get(AuditTrail)
        .record(tx, { workspaceId, actor: 'system', action: 'thing.done', detail: { n, ratio: 0.1 * n, ü: ['\u2028', null] } });
  });

const verify = async (api: RunningApi, person: Registered, query = ''): Promise<AuditVerification> => {
  const { status, body } = await api.call('GET', `/v1/audit/verify${query}`, { token: person.accessToken });
  expect(status).toBe(200);
  return body as AuditVerification;
};

const checkpointOf = async (api: RunningApi, person: Registered): Promise<AuditCheckpointAnswer> =>
  (await api.call('GET', '/v1/audit/checkpoint', { token: person.accessToken })).body as AuditCheckpointAnswer;

/** Rows, all chained; the newest checkpoint is at the last one. */
async function chained(api: RunningApi, rows: number): Promise<Registered> {
  const person = await api.register();
  const sweep = api.app.get(AuditSweep);
  const [[had]] = (await api.postgres.query('SELECT count(*)::int FROM audit_events WHERE workspace_id = $1', [
    person.workspaceId,
  ])) as [[number]];
  await write(api, person.workspaceId, rows - had);
  await sweep.run();
  await sweep.signOld(0);
  return person;
}

describe('the chain of the audit log', () => {
  let api: RunningApi;
  beforeAll(async () => {
    api = await startApi({ worker: false });
  }, 60_000);
  afterAll(() => api?.stop());

  it('holds every row, once it was swept, and shows until then which rows it does not hold', async () => {
    const person = await api.register();
    await write(api, person.workspaceId, 3);
    const before = await verify(api, person);
    expect(before).toMatchObject({ ok: true, chained: 0, unchained: before.rows, brokenAt: null, checkpoints: 0 });
    const list = (await api.call('GET', '/v1/audit?limit=1', { token: person.accessToken })).body;
    expect(list).toMatchObject({ results: [{ sequence: null, hash: null }] });
    await api.app.get(AuditSweep).run();
    const after = await verify(api, person);
    expect(after).toEqual({ ok: true, rows: before.rows, chained: before.rows, unchained: 0, brokenAt: null, checkpoints: 1 });
    expect((await checkpointOf(api, person)).checkpoint).toMatchObject({
      sequence: before.rows,
      workspaceId: person.workspaceId,
    });
  });

  it('signs a checkpoint after 100 rows, not before', async () => {
    const person = await chained(api, 10);
    const sequence = async (): Promise<number> => (await checkpointOf(api, person)).checkpoint.sequence;
    await write(api, person.workspaceId, 99);
    await api.app.get(AuditSweep).run();
    await api.app.get(AuditSweep).signOld();
    expect(await sequence()).toBe(10);
    await write(api, person.workspaceId, 1);
    await api.app.get(AuditSweep).run();
    expect(await sequence()).toBe(110);
  });

  it('goes on over several batches', async () => {
    const person = await chained(api, 1234);
    expect(await verify(api, person)).toMatchObject({ ok: true, chained: 1234, unchained: 0, checkpoints: 3 });
  });

  it.each<[string, (ws: string) => string, object]>([
    [
      'a changed action',
      (ws) => `UPDATE audit_events SET action = 'x' WHERE ${ws} AND sequence = 7`,
      { sequence: 7, reason: 'row_changed' },
    ],
    [
      'a changed detail',
      (ws) => `UPDATE audit_events SET detail = '{"n":1}' WHERE ${ws} AND sequence = 9`,
      { sequence: 9, reason: 'row_changed' },
    ],
    [
      'a time moved by a microsecond',
      (ws) => `UPDATE audit_events SET at = at + interval '1 microsecond' WHERE ${ws} AND sequence = 8`,
      { sequence: 8, reason: 'row_changed' },
    ],
    [
      'an address taken away',
      (ws) => `UPDATE audit_events SET ip = NULL WHERE ${ws} AND sequence = 1`,
      { sequence: 1, reason: 'row_changed' },
    ],
    [
      'a changed hash',
      (ws) => `UPDATE audit_events SET hash = repeat('a', 64) WHERE ${ws} AND sequence = 5`,
      { sequence: 5, reason: 'row_changed' },
    ],
    [
      'a deleted row',
      (ws) => `DELETE FROM audit_events WHERE ${ws} AND sequence = 7`,
      { sequence: 7, id: null, reason: 'row_missing' },
    ],
    [
      'a deleted first row',
      (ws) => `DELETE FROM audit_events WHERE ${ws} AND sequence = 1`,
      { sequence: 1, id: null, reason: 'row_missing' },
    ],
    [
      'a row taken out of the chain',
      (ws) => `UPDATE audit_events SET sequence = NULL, hash = NULL, previous_hash = NULL WHERE ${ws} AND sequence = 6`,
      { sequence: 6, reason: 'row_missing' },
    ],
    [
      'a deleted row with its gap closed',
      (ws) =>
        `DELETE FROM audit_events WHERE ${ws} AND sequence = 7; UPDATE audit_events SET sequence = -sequence WHERE ${ws} AND sequence > 7; UPDATE audit_events SET sequence = -sequence - 1 WHERE ${ws} AND sequence < 0`,
      { sequence: 7, reason: 'row_changed' },
    ],
    [
      "two rows in each other's place",
      (ws) =>
        `UPDATE audit_events SET sequence = -sequence WHERE ${ws} AND sequence IN (4, 5); UPDATE audit_events SET sequence = 9 + sequence WHERE ${ws} AND sequence < 0`,
      { sequence: 4, reason: 'row_changed' },
    ],
    [
      'a cut tail',
      (ws) => `DELETE FROM audit_events WHERE ${ws} AND sequence > 17`,
      { sequence: 18, id: null, reason: 'tail_missing' },
    ],
    ['an emptied log', (ws) => `DELETE FROM audit_events WHERE ${ws}`, { sequence: 1, id: null, reason: 'tail_missing' }],
    [
      'a row before the first',
      (ws) =>
        `INSERT INTO audit_events (id, workspace_id, actor_type, action, outcome, sequence, hash, previous_hash) SELECT gen_random_uuid(), workspace_id, 'user', 'x', 'success', 0, 'x', 'x' FROM audit_events WHERE ${ws} AND sequence = 1`,
      { sequence: 0, reason: 'row_unexpected' },
    ],
    [
      'a checkpoint of a row that never was',
      (ws) =>
        `INSERT INTO audit_checkpoints SELECT workspace_id, 25, hash, at, key_id, signature FROM audit_checkpoints WHERE ${ws} AND sequence = 20`,
      { sequence: 25, reason: 'checkpoint_forged' },
    ],
    [
      'a checkpoint that was altered',
      (ws) => `UPDATE audit_checkpoints SET at = at - interval '1 day' WHERE ${ws} AND sequence = 20`,
      { sequence: 20, reason: 'checkpoint_forged' },
    ],
    [
      'a checkpoint that was renamed to another key',
      (ws) => `UPDATE audit_checkpoints SET key_id = 'manifest-other' WHERE ${ws} AND sequence = 20`,
      { sequence: 20, reason: 'checkpoint_forged' },
    ],
  ])('names %s', async (_what, sql, brokenAt) => {
    const person = await chained(api, 20);
    expect(await verify(api, person)).toMatchObject({ ok: true, chained: 20 });
    await behindTheBack(api, sql(`workspace_id = '${person.workspaceId}'`));
    expect(await verify(api, person)).toMatchObject({ ok: false, brokenAt });
  });

  it('names rows that were written anew with right hashes, by the signature over the old ones', async () => {
    const person = await chained(api, 20);
    const repository = api.app.get(AuditChainRepository);
    const ws = person.workspaceId;
    const events = await api.database.inWorkspace(ws, (tx) => repository.eventsAfter(tx, ws, 0, 100));
    const bare = events.map(({ sequence: _s, previousHash: _p, hash: _h, ...facts }) => facts);
    const anew = chainEvents(
      { sequence: 0, hash: '0'.repeat(64) },
      bare.map((facts, index) => (index === 11 ? { ...facts, action: 'x' } : facts)),
    );
    for (const { id, action, previousHash, hash } of anew)
      await behindTheBack(
        api,
        `UPDATE audit_events SET action = '${action}', previous_hash = '${previousHash}', hash = '${hash}' WHERE id = '${id}'`,
      );
    expect(await verify(api, person)).toMatchObject({ ok: false, brokenAt: { sequence: 20, reason: 'checkpoint_mismatch' } });
    const { keyId } = (await checkpointOf(api, person)).checkpoint;
    const mine = generateSigningKeyPair();
    const forged = signCheckpoint(
      { keyId, privateKey: mine.privateKey, publicKeyBase64: mine.publicKey },
      { workspaceId: ws, sequence: 20, hash: anew[19]?.hash ?? '', at: '2026-01-31T12:00:00.000001Z' },
    );
    await behindTheBack(
      api,
      `UPDATE audit_checkpoints SET hash = '${forged.hash}', at = '${forged.at}', signature = '${forged.signature}' WHERE workspace_id = '${ws}' AND sequence = 20`,
    );
    expect(await verify(api, person)).toMatchObject({ ok: false, brokenAt: { sequence: 20, reason: 'checkpoint_forged' } });
  });

  it('does not sign over a damage, and goes on chaining', async () => {
    const person = await chained(api, 20);
    const ws = `workspace_id = '${person.workspaceId}'`;
    await write(api, person.workspaceId, 10);
    await api.app.get(AuditSweep).run();
    await behindTheBack(api, `DELETE FROM audit_events WHERE ${ws} AND sequence = 25`);
    await write(api, person.workspaceId, 200);
    await api.app.get(AuditSweep).run();
    await api.app.get(AuditSweep).signOld(0);
    expect((await checkpointOf(api, person)).checkpoint.sequence).toBe(20);
    expect(await verify(api, person)).toMatchObject({ unchained: 0, brokenAt: { sequence: 25, reason: 'row_missing' } });
  });

  it('shows by a checkpoint kept outside that log and checkpoints are gone', async () => {
    const person = await chained(api, 20);
    const { sequence, hash } = (await checkpointOf(api, person)).checkpoint;
    const kept = `?sequence=${sequence}&hash=${hash}`;
    expect(await verify(api, person, kept)).toMatchObject({ ok: true });
    await behindTheBack(
      api,
      `DELETE FROM audit_checkpoints; DELETE FROM audit_events WHERE workspace_id = '${person.workspaceId}' AND sequence > 15`,
    );
    expect(await verify(api, person)).toMatchObject({ ok: true, chained: 15 });
    expect(await verify(api, person, kept)).toMatchObject({ ok: false, brokenAt: { sequence: 16, reason: 'tail_missing' } });
    await write(api, person.workspaceId, 10);
    await api.app.get(AuditSweep).run();
    expect(await verify(api, person, kept)).toMatchObject({ brokenAt: { sequence: 20, reason: 'checkpoint_mismatch' } });
    const half = await api.call('GET', `/v1/audit/verify?sequence=${sequence}`, { token: person.accessToken });
    expect(half).toMatchObject({ status: 400, body: { code: 'VALIDATION' } });
  });
});
