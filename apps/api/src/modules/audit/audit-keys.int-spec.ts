import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AuditCheckpointAnswer, AuditVerification } from '@rahatback/contracts';
import { startRedis, tempDir, type PrivateRedis, type TempDir } from '@rahatback/testing';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import { startDatabase, type PrivateDatabase } from '../../testing/private-database.js';
import { startApi } from '../../testing/start-api.js';
import type { Registered, RunningApi } from '../../testing/start-api.js';
import { signCheckpoint } from './audit-chain.js';
import { AuditSweep } from './audit-sweep.service.js';
import { AuditTrail } from './audit-trail.service.js';

const run = promisify(execFile);

interface KeysIndex {
  manifest: { current: string; live: string[] };
  formerManifest?: { keyId: string; publicKeyBase64: string; retiredAt: string }[];
}

async function changeIndex(keysDir: string, change: (index: KeysIndex) => void): Promise<void> {
  const index = JSON.parse(await readFile(join(keysDir, 'keys.json'), 'utf8')) as KeysIndex;
  change(index);
  await writeFile(join(keysDir, 'keys.json'), JSON.stringify(index), { mode: 0o600 });
}

async function newManifestKey(keysDir: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const keyId = 'manifest-renewed';
  await writeFile(join(keysDir, `${keyId}.key`), privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  await changeIndex(keysDir, (index) => (index.manifest = { current: keyId, live: [keyId] }));
}

describe('checkpoints of a manifest key that was renewed', () => {
  let postgres: PrivateDatabase;
  let redis: PrivateRedis;
  let before: RunningApi;
  let person: Registered;
  let folder: TempDir;
  let old: ServerKeys['manifestKey'];

  const startAgain = (): Promise<RunningApi> =>
    startApi({ database: postgres, redis, worker: false, config: { keysDir: before.config.keysDir } });

  const get = async <T>(api: RunningApi, path: string): Promise<T> =>
    (await api.call('GET', `/v1/audit/${path}`, { token: person.accessToken })).body as T;

  /** What the script of docs/AUDIT.md says of the export. */
  async function scriptSays(api: RunningApi, publicKeys: readonly string[]): Promise<string> {
    const document = await readFile(join(__dirname, '../../../../../docs/AUDIT.md'), 'utf8');
    const [program, file] = [join(folder.path, 'verify-audit.mjs'), join(folder.path, 'audit.ndjson')];
    await writeFile(program, /```js\n([\s\S]+?)```/.exec(document)?.[1] ?? '');
    const headers = { authorization: `Bearer ${person.accessToken}` };
    await writeFile(file, await (await fetch(`${api.url}/v1/audit/export`, { headers })).text());
    const { stdout } = await run(process.execPath, [program, file, publicKeys.join()]).catch(
      (error: { stdout: string }) => error,
    );
    return stdout.trim();
  }

  const grow = async (api: RunningApi): Promise<void> => {
    const { workspaceId } = person;
    await api.database.inWorkspace(workspaceId, (tx) =>
      api.app.get(AuditTrail).record(tx, { workspaceId, actor: 'system', action: 'thing.done', detail: {} }),
    );
    await api.app.get(AuditSweep).run();
    await api.app.get(AuditSweep).signOld(0);
  };

  beforeAll(async () => {
    folder = await tempDir('rahatback-audit-');
    postgres = await startDatabase();
    redis = await startRedis({ persist: false });
    before = await startApi({ database: postgres, redis, worker: false });
    person = await before.register();
    await grow(before);
    old = before.app.get(ServerKeys).manifestKey;
    await newManifestKey(before.config.keysDir);
  }, 90_000);
  afterAll(async () => {
    await before?.stop();
    await redis?.stop();
    await postgres?.postgres.stop();
    await folder?.remove();
  });

  it('are forged for a server that does not know the old key any more', async () => {
    const api = await startAgain();
    try {
      expect(await get<AuditVerification>(api, 'verify')).toMatchObject({ ok: false, brokenAt: { reason: 'checkpoint_forged' } });
    } finally {
      await api.stop();
    }
  }, 60_000);

  it('stay good while its public half is known, up to the time it was retired, and the chain goes on under the new one', async () => {
    const { publicKeyBase64, keyId } = old;
    const retiredAt = new Date().toISOString();
    await changeIndex(before.config.keysDir, (index) => (index.formerManifest = [{ keyId, publicKeyBase64, retiredAt }]));
    const api = await startAgain();
    try {
      expect((await get<AuditCheckpointAnswer>(api, 'checkpoint')).publicKey).toBe(publicKeyBase64);
      await grow(api);
      const { checkpoint, publicKey } = await get<AuditCheckpointAnswer>(api, 'checkpoint');
      expect(checkpoint.keyId).toBe('manifest-renewed');
      expect(await get<AuditVerification>(api, 'verify')).toMatchObject({ ok: true, checkpoints: 2 });
      expect(await scriptSays(api, [publicKeyBase64, publicKey])).toMatch(/^OK: \d+ rows, 2 checkpoints$/);
      expect(await scriptSays(api, [publicKey])).toMatch(/is forged$/);

      const { workspaceId, sequence, hash } = checkpoint;
      const late = signCheckpoint(old, { workspaceId, sequence, hash, at: new Date(Date.now() + 1000).toISOString() });
      await postgres.query('UPDATE audit_checkpoints SET key_id = $1, signature = $2, at = $3 WHERE sequence = $4', [
        late.keyId,
        late.signature,
        late.at,
        sequence,
      ]);
      expect(await get<AuditVerification>(api, 'verify')).toMatchObject({
        ok: false,
        brokenAt: { sequence, reason: 'checkpoint_forged' },
      });
    } finally {
      await api.stop();
    }
  }, 60_000);
});
