import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { StorageView } from '@rahatback/contracts';
import { sealField } from '@rahatback/crypto';
import { testSecret } from '@rahatback/testing';
import { MIGRATIONS } from '../../migrations/index.js';
import { CredentialVault } from '../../modules/storages/storage-credentials.js';
import type { Registered, RunningApi } from '../../testing/start-api.js';
import { startApi } from '../../testing/start-api.js';
import { runBootChecks } from '../boot/boot-checks.js';
import { newId } from '../ids.js';
import { ROTATION_CRASH_POINTS } from './kek-rotation.js';
import { keyFile, readKek, readKekSlot } from './key-index.js';
import { SEALED_COLUMNS } from './sealed-columns.js';
import { ServerKeys } from './server-keys.js';

const dist = join(dirname(createRequire(join(process.cwd(), 'package.json')).resolve('@rahatback/api/package.json')), 'dist');
const STORED = 450;

interface Run {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly lines: { event?: string; message?: string; code?: string; left?: number; state?: string; current?: string }[];
}

describe('the rotation of the server key', () => {
  let one: RunningApi;
  let two: RunningApi;
  let person: Registered;
  /** storage id → the secret that was last accepted for it */
  const secrets = new Map<string, string>();
  const unwanted: unknown[] = [];

  beforeAll(async () => {
    one = await startApi({ worker: false });
    const shared = { keysDir: one.config.keysDir, storageRoot: one.config.storageRoot };
    two = await startApi({ worker: false, database: one.postgres, redis: one.redis, config: shared });
    person = await one.register();
  }, 90_000);
  afterAll(async () => {
    await two?.stop();
    await one?.stop();
  });

  /** The command as production runs it. */
  const rotateKek = async (args: string[], fault = ''): Promise<Run> => {
    const child = spawn(process.execPath, [join(dist, 'rotate-kek.js'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'] ?? '',
        DATABASE_URL: one.config.databaseUrl,
        REDIS_URL: one.config.redisUrl,
        KEYS_DIR: one.config.keysDir,
        STORAGE_ROOT: one.config.storageRoot,
        FAULT: fault,
      },
    });
    let output = '';
    child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (output += bytes.toString()));
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    const lines = output
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Run['lines'][number]);
    return { code, signal, lines };
  };

  const dto = (name: string, secret: string) => ({
    storageType: 's3',
    name,
    s3Endpoint: 'http://127.0.0.1:1024',
    s3Bucket: 'bucket',
    s3AccessKeyId: 'key',
    s3SecretAccessKey: secret,
  });

  const sealedOf = async (id: string): Promise<string> =>
    String((await one.postgres.query('SELECT credentials FROM storages WHERE id = $1', [id]))[0]?.[0]);
  const opened = async (api: RunningApi, id: string): Promise<string> =>
    api.app.get(CredentialVault).open({ id, workspaceId: person.workspaceId }, await sealedOf(id)).secretAccessKey;
  const sealedBy = async (kid: string): Promise<number> =>
    Number((await one.postgres.query(`SELECT count(*) FROM storages WHERE credentials LIKE '1|' || $1 || '|%'`, [kid]))[0]?.[0]);

  /** Writes through one process, changes and reads through the other, until it is told to stop. Every answer counts. */
  const work = async (writer: RunningApi, reader: RunningApi, isOver: () => boolean): Promise<number> => {
    let rounds = 0;
    for (; !isOver(); rounds += 1) {
      const first = testSecret('s3-secret', { fresh: true });
      const created = await writer.call('POST', '/v1/storages', { token: person.accessToken, body: dto('under load', first) });
      const { id } = created.body as StorageView;
      if (created.status !== 201) unwanted.push(created);
      else if ((await opened(reader, id)) !== first) unwanted.push(`${id} opened as something else`);
      const second = testSecret('s3-secret', { fresh: true });
      const body = { s3SecretAccessKey: second };
      const patched = await reader.call('PATCH', `/v1/storages/${id}`, { token: person.accessToken, body });
      if (patched.status !== 200) unwanted.push(patched);
      secrets.set(id, second);
      if ((await opened(writer, id)) !== second) unwanted.push(`${id} opened as something else`);
    }
    return rounds;
  };

  it('goes on after a kill at each of its steps, under the load of two processes, and loses and refuses nothing', async () => {
    const before = await readKekSlot(one.config.keysDir);
    const vault = one.app.get(CredentialVault);
    for (let index = 0; index < STORED; index += 1) {
      const [id, secret] = [newId(), testSecret('s3-secret', { fresh: true })];
      const sealed = vault.seal({ id, workspaceId: person.workspaceId }, { accessKeyId: 'key', secretAccessKey: secret });
      await one.postgres.query(
        `INSERT INTO storages (id, workspace_id, storage_type, name, settings, credentials) VALUES ($1, $2, 's3', 'stored', '{}', $3)`,
        [id, person.workspaceId, sealed],
      );
      secrets.set(id, secret);
    }
    let over = false;
    const load = Promise.all([work(one, two, () => over), work(two, one, () => over)]);
    try {
      const [removal] = ROTATION_CRASH_POINTS.filter((step) => step.startsWith('keys.remove'));
      for (const step of ROTATION_CRASH_POINTS.filter((name) => name !== removal)) {
        const killed = await rotateKek(['rotate'], `${step}:${step === 'keys.rotate.batch' ? 2 : 1}`);
        expect([step, killed.signal, killed.lines.at(-1)?.event]).toEqual([step, 'SIGKILL', step]);
        expect((await rotateKek(['remove', '--now'])).code).toBe(
          step === 'keys.rotate.made' || step === 'keys.rotate.resealed' ? 0 : 78,
        );
        if (step === 'keys.rotate.batch') expect(await sealedBy(before.current)).toBeGreaterThan(0); // killed in the middle
      }
      expect(await sealedBy(before.current)).toBe(0);
      const next = await rotateKek(['rotate'], '');
      expect(next.lines.at(-1)).toMatchObject({ event: 'keys.status', state: 'removable', left: 0 });
      const early = await rotateKek(['remove']);
      expect([early.code, early.lines.at(-1)]).toMatchObject([
        78,
        { code: 'CONFLICT', message: expect.stringMatching(/another (59|60) minutes/) },
      ]);
      expect((await rotateKek(['rotate'])).lines.at(-1)).toMatchObject({ code: 'CONFLICT' });
      expect((await rotateKek(['remove', '--now'], `${removal}:1`)).signal).toBe('SIGKILL');
      const removed = await rotateKek(['remove', '--now']);
      expect(removed.lines.at(-1)).toMatchObject({ state: 'single', left: 0 });
    } finally {
      over = true;
    }
    const rounds = await load;
    expect(unwanted).toEqual([]);
    expect(Math.min(...rounds)).toBeGreaterThan(10);

    const after = await readKekSlot(one.config.keysDir);
    expect(after).toEqual({ current: after.current, live: [after.current] });
    const [notes] = await one.postgres.query(`SELECT count(*) FROM storages WHERE split_part(credentials, '|', 2) <> $1`, [
      after.current,
    ]);
    expect(Number(notes?.[0])).toBe(0);
    expect(await readdir(one.config.keysDir)).not.toContain(`${before.current}.key`);
    for (const [id, secret] of secrets) expect(await opened(two, id)).toBe(secret);
    await runBootChecks({ ...one.config, migrations: MIGRATIONS });
    process.stdout.write(`rotated twice under ${rounds.join(' + ')} rounds of load, ${secrets.size} secrets open\n`);
  }, 300_000);

  it('lets no process that missed it write by the old key, and no two run at once', async () => {
    const keysDir = one.config.keysDir;
    const { current } = await readKekSlot(keysDir);
    const old = { kid: current, key: await readKek(keysDir, current) };
    const id = [...secrets.keys()][0] ?? '';
    const place = { table: 'storages', column: 'credentials', rowId: id, workspaceId: person.workspaceId };
    const [first, second] = await Promise.all([rotateKek(['rotate']), rotateKek(['rotate'])]);
    expect([first.code, second.code].sort()).toEqual([0, 78]);
    const late = one.database.inWorkspace(person.workspaceId, (tx) =>
      tx.query('UPDATE storages SET credentials = $2 WHERE id = $1', [id, sealField({ current: old }, place, '{}')]),
    );
    await expect(late).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('Try again') });
    expect(await opened(one, id)).toBe(secrets.get(id));
    expect((await rotateKek(['remove', '--now'])).code).toBe(0);
    expect(one.app.get(ServerKeys).kek.current.kid).not.toBe(old.kid);
  }, 60_000);

  it('is refused by a secret that does not open, which it names, and goes on once that is mended', async () => {
    const [id, other] = [...secrets.keys()];
    const sealed = await sealedOf(id ?? '');
    await one.postgres.query('UPDATE storages SET credentials = $2 WHERE id = $1', [id, await sealedOf(other ?? '')]);
    const refused = await rotateKek(['rotate']);
    expect([refused.code, refused.lines.at(-1)]).toMatchObject([
      78,
      { code: 'DATA_CORRUPT', message: expect.stringContaining(String(id)) },
    ]);
    // By the key that is retired by now, as it was: the superuser puts back what he took.
    await one.postgres.query('ALTER TABLE storages DISABLE TRIGGER refuse_retired_key_credentials');
    await one.postgres.query('UPDATE storages SET credentials = $2 WHERE id = $1', [id, sealed]);
    await one.postgres.query('ALTER TABLE storages ENABLE TRIGGER refuse_retired_key_credentials');
    expect((await rotateKek(['rotate'])).lines.at(-1)).toMatchObject({ state: 'removable' });
    expect(await opened(one, id ?? '')).toBe(secrets.get(id ?? ''));
  }, 60_000);

  it('leaves a start with the wrong keys, or without them, refused by a sentence and the folder as it was', async () => {
    const { keysDir } = one.config;
    const { current } = await readKekSlot(keysDir);
    const check = (dir: string): Promise<void> => runBootChecks({ ...one.config, keysDir: dir, migrations: MIGRATIONS });
    const empty = join(keysDir, '..', 'no-keys');
    await expect(check(empty)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('Put the keys folder'),
    });
    await expect(readdir(empty)).rejects.toMatchObject({ code: 'ENOENT' });
    const file = keyFile(keysDir, current);
    const right = await readFile(file, 'utf8');
    await writeFile(file, Buffer.alloc(32, 1).toString('base64'));
    await expect(check(keysDir)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('is not the one'),
    });
    await rename(file, `${file}.away`);
    await expect(check(keysDir)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('missing') });
    await rename(`${file}.away`, file);
    await writeFile(file, right);
    await check(keysDir);
    const run = await rotateKek(['turn']);
    expect([run.code, run.lines[0]?.message]).toEqual([78, expect.stringContaining('status | rotate | remove')]);
  }, 60_000);

  it('knows every column that code seals, and each has its trigger', async () => {
    const named = SEALED_COLUMNS.map(({ table, column }) => `${table}.${column}`).sort();
    const triggers = await one.postgres.query(
      `SELECT DISTINCT event_object_table || '.' || replace(trigger_name, 'refuse_retired_key_', '')
       FROM information_schema.triggers WHERE trigger_name LIKE 'refuse_retired_key_%'`,
    );
    expect(triggers.map((row) => String(row[0])).sort()).toEqual(named);
    const source = join(dist, '..', 'src');
    const files = (await readdir(source, { recursive: true })).filter((name) => /(?<!spec|suite)\.ts$/.test(name));
    const places = new Set<string>();
    for (const name of files) {
      const text = await readFile(join(source, name), 'utf8');
      if (!/\bsealField\b/.test(text) || name.includes('platform/keys')) continue;
      const found = [...text.matchAll(/table: '(\w+)',\s*column: '(\w+)'/g)].map(([, table, column]) => `${table}.${column}`);
      expect([name, found.length > 0]).toEqual([name, true]); // a sealed field has a place that can be read here
      for (const place of found) places.add(place);
    }
    expect([...places].filter((place) => !named.includes(place))).toEqual([]);
    expect(places).toContain('storages.credentials');
  });
});
