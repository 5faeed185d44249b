import { readdir, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { canaryMark, CanarySet, scanFiles, scanRedis, waitFor } from '@rahatback/testing';
import { toolsLeft } from '../crash/invariants.js';
import { mustHold, type Violation } from './fault-case.js';
import type { FaultWorld } from './fault-world.js';
import { watchedViolations } from './row-watch.js';

/** The promise: settled at most 60 s after the world is whole again. */
const SETTLE_LIMIT_MS = 60_000;
/** The sweep of orphans comes again when the last address of an attempt has run out. */
const CLEAN_LIMIT_MS = 45_000;

interface StoredRow {
  readonly id: string;
  readonly fence: string;
  readonly status: string;
  readonly storageId: string;
}

export interface InvariantChecker {
  /** I1-I8 of the healed world, once all that was under way has ended. */
  check(): Promise<Violation[]>;
}

async function ask(world: FaultWorld, sql: string): Promise<unknown[][]> {
  return world.server.postgres.query(sql, { database: world.server.databaseName });
}

/** I4: nothing says that it runs although nobody works at it; and in the end nothing runs at all. */
async function settled(world: FaultWorld): Promise<Violation[]> {
  const running = `SELECT 'backup ' || id FROM backups WHERE status = 'running'
                   UNION ALL SELECT 'restore ' || id FROM restores WHERE status = 'running'
                   UNION ALL SELECT 'verification ' || id FROM verifications WHERE status = 'PENDING'`;
  let left: unknown[][] = [];
  try {
    await waitFor(async () => (left = await ask(world, running)).length === 0, {
      timeoutMs: SETTLE_LIMIT_MS,
      pollMs: 200,
      describe: 'everything to end',
    });
    return [];
  } catch {
    return [{ invariant: 'I4', what: `still running after 60 s: ${left.flat().join(', ')}` }];
  }
}

async function rowsOf(world: FaultWorld): Promise<StoredRow[]> {
  const rows = await ask(
    world,
    `SELECT id::text, fence::text, status, storage_id::text FROM backups WHERE deleted_at IS NULL ORDER BY started_at`,
  );
  return rows.map(([id, fence, status, storageId]) => ({ id, fence, status, storageId }) as unknown as StoredRow);
}

/** Names of all objects, as `<workspace>/<database>/<backup>/<fence>/<object>` at their end, and of everything half-made. */
async function stored(world: FaultWorld): Promise<{ objects: string[]; halfMade: string[] }> {
  const root = world.server.storageRoot;
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => relative(root, join(entry.parentPath, entry.name)));
  const isHalfMade = (file: string): boolean => file.includes('.uploads') || file.endsWith('.tmp');
  const objects = files.filter((file) => !isHalfMade(file));
  const halfMade = files.filter(isHalfMade);
  const { backend } = world.s3;
  for await (const { key } of backend.list('')) objects.push(key);
  for await (const { key, uploadId } of backend.listUploads('')) halfMade.push(`${key} (upload ${uploadId})`);
  return { objects, halfMade };
}

const belongsTo = (object: string, { id, fence }: StoredRow): boolean => object.includes(`/${id}/${fence}/`);

/** I7: every object belongs to the winning attempt of a successful backup; no upload, tool or database is left over. */
async function noOrphans(world: FaultWorld): Promise<Violation[]> {
  let left: string[] = [];
  const look = async (): Promise<boolean> => {
    const good = (await rowsOf(world)).filter(({ status }) => status === 'success');
    const { objects, halfMade } = await stored(world);
    const stray = objects.filter((object) => !good.some((row) => belongsTo(object, row)));
    left = [...stray, ...halfMade, ...toolsLeft(world), ...(await strayDatabases(world))];
    return left.length === 0;
  };
  try {
    await waitFor(look, { timeoutMs: CLEAN_LIMIT_MS, pollMs: 300, describe: 'the sweep' });
    return [];
  } catch (error) {
    if (left.length === 0) throw error;
    return [{ invariant: 'I7', what: `left behind: ${left.slice(0, 10).join(', ')}` }];
  }
}

async function strayDatabases(world: FaultWorld): Promise<string[]> {
  const restored = await ask(world, `SELECT target_database FROM restores WHERE status = 'success'`);
  const allowed = new Set(['postgres', 'template0', 'template1', world.customerDatabase, ...restored.flat().map(String)]);
  const names = (await world.customer.query('SELECT datname FROM pg_database')).map(([name]) => String(name));
  return names.filter((name) => !allowed.has(name)).map((name) => `database ${name}`);
}

/** What the customer's live database holds, as one line. */
async function liveContent({ customer, customerDatabase }: FaultWorld): Promise<string> {
  const digest = (table: string): string =>
    `(SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '' ORDER BY id)), '') FROM ${table} t)`;
  const rows = await customer.query(`SELECT ${digest('musteri')}, ${digest('siparis')}, ${digest('bos')}`, {
    database: customerDatabase,
  });
  return rows.flat().join(' | ');
}

/** I1: opened with the recovery identity alone by the agent's own CLI, every byte of it. */
async function decrypts(world: FaultWorld, row: StoredRow, objects: readonly string[]): Promise<readonly Violation[]> {
  const manifests = objects.filter((object) => belongsTo(object, row) && object.endsWith('/manifest.json'));
  const [manifest] = manifests;
  if (manifests.length !== 1 || !manifest)
    return [{ invariant: 'I1', what: `${manifests.length} manifests of backup ${row.id}, not 1` }];
  const isInBucket = row.storageId === world.s3Storage.id;
  const folder = manifest.slice(0, -'/manifest.json'.length);
  const { server, bucket } = world.s3;
  const from = isInBucket
    ? ['--from', `s3://${bucket}/${folder}`, '--endpoint', server.endpoint, '--region', server.region]
    : ['--from', pathToFileURL(join(world.server.storageRoot, folder)).href];
  const keys: Record<string, string> = isInBucket
    ? { AWS_ACCESS_KEY_ID: server.accessKeyId, AWS_SECRET_ACCESS_KEY: server.secretAccessKey }
    : {};
  const dump = join(world.folder, `${row.id}.dump`);
  const agents = await ask(world, 'SELECT id, sign_public_key FROM agents');
  const trust = agents.flatMap(([id, key]) => ['--agent-key', `${String(id)}=${String(key)}`]);
  const args = ['decrypt', ...from, ...trust, '--identity', world.identityPath, '--out', dump];
  const { code, stderr } = await world.agent.cli(args, keys);
  await rm(dump, { force: true });
  return mustHold(code === 0, `backup ${row.id} does not decrypt: ${stderr.slice(-300)}`, 'I1');
}

/** I5: in logs, journals and Redis. The mark is in every password, passphrase and S3 key of the run. */
async function noSecrets(world: FaultWorld): Promise<Violation[]> {
  const canaries = new CanarySet({ tokens: true });
  canaries.watch({ kind: 'secret of this run', value: canaryMark() });
  const isKept = (path: string): boolean => !path.includes('journal') && !path.includes(world.server.logDir);
  const hits = [
    ...(await scanFiles(canaries, [world.server.logDir, world.agent.home], isKept)),
    ...(await scanRedis(canaries, world.server.redis.url)),
  ];
  return hits.map(({ kind, place }) => ({ invariant: 'I5', what: `${kind} in ${place}` }));
}

/** Remembers across the cases of a run what was good: it must stay so (I1, I8), and the live database is never touched (I6). */
export async function startInvariants(world: FaultWorld): Promise<InvariantChecker> {
  const live = await liveContent(world);
  const proved = new Set<string>();
  const checkGood = async (): Promise<Violation[]> => {
    const rows = await rowsOf(world);
    const { objects } = await stored(world);
    const lost = [...proved].filter((id) => !rows.some((row) => row.id === id && row.status === 'success'));
    const gone = rows.filter((row) => proved.has(row.id) && !objects.some((object) => belongsTo(object, row)));
    const violations: Violation[] = [...lost, ...gone.map(({ id }) => id)].map((id) => ({
      invariant: 'I8',
      what: `backup ${id} was good and is so no longer`,
    }));
    for (const row of rows) {
      if (row.status !== 'success' || proved.has(row.id)) continue;
      violations.push(...(await decrypts(world, row, objects)));
      proved.add(row.id);
    }
    return violations;
  };
  return {
    async check() {
      const inTime = await settled(world);
      const clean = await noOrphans(world);
      const good = await checkGood();
      const secret = await noSecrets(world);
      const untouched = mustHold((await liveContent(world)) === live, 'the live database was changed', 'I6');
      return [...inTime, ...clean, ...good, ...secret, ...untouched, ...(await watchedViolations(world.server))];
    },
  };
}
