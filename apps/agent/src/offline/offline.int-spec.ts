import { spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { derivePassphraseKek, newKdfParams, recoveryKitText } from '@rahatback/crypto';
import { shimTools, waitFor } from '@rahatback/testing';
import { AgentProcess, runAgent } from '../testing/agent-process.js';
import { BackupWorld } from '../testing/backup-world.js';

jest.setTimeout(180_000);

const PASSPHRASE = 'canary passphrase, ğüşiöç';

/** What a person has left when the server is gone: the objects, a key, and this program. */
describe('without a server', () => {
  let world: BackupWorld;
  let shop: string;
  let root: string;
  let full: string;
  let link: string;
  let folder: string;
  let identityFile: string;
  let agentKey: string;

  beforeAll(async () => {
    world = await BackupWorld.start();
    shop = await world.shop();
    await world.run();
    const kdf = newKdfParams({ memoryKib: 64 * 1024, passes: 1, parallelism: 1 });
    const kek = await derivePassphraseKek(PASSPHRASE, kdf);
    const passphrase = { ...kdf, kekRef: 'kek-1' };
    const first = await world.backupCommand(shop, { passphrase });
    const sealedKek = await world.sealedKek('kek-1', kek);
    await world.server.send({ ...first, sealed: [...first.sealed, sealedKek] });
    expect(await world.result(first)).toMatchObject({ event: 'backup:completed' });
    await world.postgres.query("INSERT INTO customers VALUES (900001, 'yeni', 'x')", { database: shop });
    const second = await world.backupCommand(shop);
    const location = { ...second.payload.location, backupType: 'incremental' as const };
    const payload = { ...second.payload, location, chainId: first.payload.chainId, base: [first.payload.location] };
    await world.server.send({ ...second, payload });
    expect(await world.result(second)).toMatchObject({ event: 'backup:completed' });
    await world.kill();

    root = join(world.dir.path, 'storage');
    const { workspaceId, databaseId } = first.payload.location;
    [full, link] = [first.payload.location.backupId, location.backupId];
    for (const [key, bytes] of world.server.storage.objects) {
      const path = join(root, workspaceId, databaseId, ...key.split('/'));
      await mkdir(join(path, '..'), { recursive: true });
      await writeFile(path, bytes);
    }
    folder = join(root, workspaceId, databaseId, full, String(first.fence));
    identityFile = join(world.dir.path, 'identity.txt');
    await writeFile(identityFile, `# mine\n${world.recovery.identity}\n`, { mode: 0o600 });
    agentKey = `${world.server.agent.identity.agentId}=${world.server.agent.keys.sign.publicKey}`;
  });
  afterAll(() => world.stop());

  const elsewhere = (): string => join(world.dir.path, `home-${randomUUID()}`);
  const sha256 = (bytes: Buffer | string): string =>
    createHash('sha256')
      .update(bytes as string)
      .digest('hex');
  const target = (database: string): string[] => [
    ...['--database', database, '--host', world.postgres.host],
    ...['--port', String(world.postgres.port), '--user', world.postgres.superuser, '--tls-mode', 'disable'],
  ];
  const password = (): Record<string, string> => ({ PGPASSWORD: world.postgres.password });
  /** A file of a person's own that holds a secret. */
  const presented = async (name: string): Promise<string> => {
    const own = join(world.dir.path, 'presented');
    await mkdir(own, { recursive: true });
    return join(own, name);
  };

  describe('decrypt', () => {
    it('writes the dump to standard output or a file, the same bytes whoever opens it', async () => {
      const own = await runAgent(world.home, ['decrypt', '--from', folder]);
      expect([own.code, own.stdout.slice(0, 200)]).toEqual([0, expect.stringContaining('PostgreSQL database dump')]);
      const dump = Buffer.from(own.stdout, 'latin1');
      expect(dump.includes('Müşteri 20000')).toBe(true);

      const out = join(world.dir.path, 'dump.sql');
      const byIdentity = await runAgent(elsewhere(), [
        'decrypt',
        '--from',
        folder,
        '--identity',
        identityFile,
        '--agent-key',
        agentKey,
        '--out',
        out,
        '--json',
      ]);
      expect([byIdentity.code, byIdentity.stderr]).toEqual([0, expect.any(String)]);
      expect(JSON.parse(byIdentity.stdout)).toMatchObject({ backupId: full, bytes: dump.length, sha256: sha256(dump) });
      expect(sha256(await readFile(out))).toBe(sha256(dump));
      expect((await stat(out)).mode & 0o777).toBe(0o600);

      const file = join(world.dir.path, 'passphrase');
      await writeFile(file, `${PASSPHRASE}\n`);
      const byFile = await runAgent(elsewhere(), [
        'decrypt',
        '--from',
        folder,
        '--passphrase-file',
        file,
        '--agent-key',
        agentKey,
      ]);
      const byPipe = await runAgent(
        elsewhere(),
        ['decrypt', '--from', folder, '--passphrase', '--agent-key', agentKey],
        {},
        `${PASSPHRASE}\n`,
      );
      for (const answer of [byFile, byPipe])
        expect([answer.code, sha256(Buffer.from(answer.stdout, 'latin1'))]).toEqual([0, sha256(dump)]);
    });

    it('gives psql a dump that it takes', async () => {
      const { stdout } = await runAgent(world.home, ['decrypt', '--from', folder]);
      const database = await world.postgres.createDatabase();
      const args = ['-X', '-q', '-v', 'ON_ERROR_STOP=1'];
      const env = world.postgres.toolEnv(database);
      const psql = spawnSync('psql', args, { env, input: Buffer.from(stdout, 'latin1'), encoding: 'utf8' });
      expect([psql.status, psql.stderr]).toEqual([0, '']);
      expect(await world.postgres.query('SELECT count(*) FROM customers', { database })).toEqual([['20000']]);
    });

    it('believes the agents that a recovery kit pins', async () => {
      const kit = join(world.dir.path, 'kit.txt');
      const { agentId } = world.server.agent.identity;
      const agentKeys = [{ id: agentId, publicKey: world.server.agent.keys.sign.publicKey }];
      const facts = { workspaceName: 'W', agentKeys, serverKeys: [], createdAt: '2026-01-01' };
      await writeFile(kit, recoveryKitText({ ...world.recovery, ...facts }));
      expect((await runAgent(elsewhere(), ['decrypt', '--from', folder, '--identity', kit])).code).toBe(0);
    });

    it('refuses a signer whom nobody knows, unless a person vouches for the storage', async () => {
      const line = ['decrypt', '--from', folder, '--identity', identityFile];
      const refused = await runAgent(elsewhere(), line);
      expect([refused.code, refused.stdout, refused.stderr]).toEqual([2, '', expect.stringContaining('MANIFEST_INVALID')]);
      const wrongKey = `${world.server.agent.identity.agentId}=${world.server.agent.commandKey.publicKey}`;
      expect((await runAgent(elsewhere(), [...line, '--agent-key', wrongKey])).stderr).toContain('MANIFEST_INVALID');
      const vouched = await runAgent(elsewhere(), [...line, '--accept-unsigned']);
      expect([vouched.code, vouched.stderr]).toEqual([0, expect.stringContaining('not checked')]);
    });

    it('leaves no file and tells why, when key or data are wrong', async () => {
      const out = join(world.dir.path, 'nothing.sql');
      const stranger = join(world.dir.path, 'stranger.txt');
      await runAgent(elsewhere(), ['recovery-key', '--out', stranger]);
      const fail = async (args: readonly string[], from = folder): Promise<string> => {
        const { code, stderr } = await runAgent(elsewhere(), [
          'decrypt',
          '--from',
          from,
          '--agent-key',
          agentKey,
          '--out',
          out,
          ...args,
        ]);
        expect([code, await stat(out).catch(() => 'absent')]).toEqual([2, 'absent']);
        return stderr;
      };
      expect(await fail(['--identity', stranger])).toContain('WRONG_KEY');
      const file = join(world.dir.path, 'wrong');
      await writeFile(file, 'canary-wrong-passphrase');
      const wrong = await fail(['--passphrase-file', file]);
      expect(wrong).toContain('WRONG_KEY');
      expect(wrong).not.toContain('canary');
      expect(await fail([])).toContain('--identity');
      expect(await fail(['--identity', join(world.dir.path, 'absent')])).toContain('does not exist');

      const damaged = join(world.dir.path, 'damaged');
      await cp(folder, damaged, { recursive: true });
      const bytes = await readFile(join(damaged, 'data-00001'));
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 20) ^ 1, bytes.length - 20);
      await writeFile(join(damaged, 'data-00001'), bytes);
      expect(await fail(['--identity', identityFile], damaged)).toContain('DATA_CORRUPT');
      await rm(join(damaged, 'data-00001'));
      expect(await fail(['--identity', identityFile], damaged)).toMatch(/OBJECT_MISSING|DATA_TRUNCATED/);
    });

    it('lists what there is, and finds what is asked for', async () => {
      const several = await runAgent(world.home, ['decrypt', '--from', pathToFileURL(root).href]);
      expect([several.code, several.stderr]).toEqual([2, expect.stringContaining('--backup')]);
      for (const id of [full, link]) expect(several.stderr).toContain(id);
      const unknown = await runAgent(world.home, ['decrypt', '--from', root, '--backup', randomUUID()]);
      expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining(full)]);
      const chosen = await runAgent(world.home, ['decrypt', '--from', pathToFileURL(root).href, '--backup', link]);
      expect([chosen.code, chosen.stdout.includes('900001')]).toEqual([0, true]);
      const empty = await runAgent(world.home, ['decrypt', '--from', join(world.dir.path, 'absent')]);
      expect(empty.code).toBe(2);
    });

    it('finds the links of a chain beside the backup, and says which one is not there', async () => {
      const attempt = (await readdir(join(folder, '..', '..', link))).at(0) ?? '';
      const { code, stdout } = await runAgent(world.home, ['decrypt', '--from', join(folder, '..', '..', link, attempt)]);
      expect([code, stdout.includes('900001')]).toEqual([0, true]);
      const alone = join(world.dir.path, 'alone');
      await cp(join(folder, '..', '..', link), join(alone, link), { recursive: true });
      const lost = await runAgent(world.home, ['decrypt', '--from', join(alone, link, attempt)]);
      expect([lost.code, lost.stderr]).toEqual([2, expect.stringContaining(full)]);
    });

    it.each([
      [['--from', 's3://bucket/prefix'], 'S3_CREDENTIALS'],
      [['--from', 'https://example.com/x'], 'VALIDATION'],
      [['--from', 's3://key:secret@bucket/x'], 'VALIDATION'],
    ])('refuses %j', async (args, code) => {
      expect(await runAgent(world.home, ['decrypt', ...args])).toMatchObject({ code: 2, stderr: expect.stringContaining(code) });
    });
  });

  describe('restore', () => {
    it('puts a chain into a new database with equal digests', async () => {
      const args = ['restore', '--from', root, '--backup', link, ...target('shop_back'), '--json'];
      const { code, stdout, stderr } = await runAgent(world.home, args, password());
      expect([code, stderr]).toEqual([0, expect.stringContaining('"progress"')]);
      expect(JSON.parse(stdout)).toMatchObject({
        backupId: link,
        database: 'shop_back',
        tables: [
          { table: 'customers', rows: 20_001, restoredRows: 20_001, equal: true },
          { table: 'empty', rows: 0, equal: true },
        ],
      });
      expect(await world.postgres.query('SELECT max(id) FROM customers', { database: 'shop_back' })).toEqual([[900001]]);
      const again = await runAgent(world.home, args, password());
      expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('RESTORE_TARGET_EXISTS')]);
    });

    it('takes the password from a file or a pipe too, and shows plain lines', async () => {
      const file = await presented('pgpass');
      await writeFile(file, `${world.postgres.password}\n`);
      const line = ['restore', '--from', folder, ...target('by_file'), '--password-file', file];
      const byFile = await runAgent(world.home, line);
      expect([byFile.code, byFile.stdout]).toEqual([0, expect.stringContaining('every digest equal')]);
      expect(byFile.stderr).toContain('load:');
      const byPipe = await runAgent(
        world.home,
        ['restore', '--from', folder, ...target('by_pipe')],
        {},
        `${world.postgres.password}\n`,
      );
      expect(byPipe.code).toBe(0);
    });

    it('says what is wrong with the target, and leaves nothing behind', async () => {
      const before = await world.databases();
      const wrong = await runAgent(world.home, ['restore', '--from', folder, ...target('never')], { PGPASSWORD: 'canary-wrong' });
      expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('DB_AUTH_FAILED')]);
      expect(wrong.stderr).not.toContain('canary');
      const nobody = await runAgent(world.home, ['restore', '--from', folder, ...target('never'), '--port', '1'], password());
      expect([nobody.code, nobody.stderr]).toEqual([2, expect.stringContaining('DB_UNREACHABLE')]);
      expect(await world.databases()).toEqual(before);
    });

    it('stops at Ctrl-C and drops what it had begun', async () => {
      const before = await world.databases();
      // A psql that reads nothing keeps the restore in its middle for as long as it takes.
      const shims = await shimTools(join(world.dir.path, 'shims'), {
        pg_dump: { version: '15.99' },
        psql: { version: '15.99', calls: [{ end: 'hang' }] },
      });
      const env = { ...password(), RAHATBACK_TOOL_DIRS: shims.binDir };
      const running = new AgentProcess(world.home, ['restore', '--from', folder, ...target('never'), '--json'], env);
      await waitFor(async () => (await world.databases()).length > before.length, {
        describe: 'the staging database',
        timeoutMs: 60_000,
      });
      await waitFor(async () => (await shims.calls('psql')).length === 1, { describe: 'psql to run' });
      running.signal('SIGINT');
      expect(await running.ended).toMatchObject({ code: 130 });
      expect(await world.databases()).toEqual(before);
    });
  });
});
