import { clientBinDir, startPostgres, type PrivatePostgres } from '@rahatback/testing';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BackupHarness } from './backup-harness.suite.js';
import { loadChain } from './chain/load-chain.js';

const DOCUMENT = join(process.cwd(), 'docs', 'RECOVERY.md');
const DIGEST = `SELECT (SELECT count(*) || md5(string_agg(t::text, '|' ORDER BY id)) FROM t), (SELECT md5(string_agg(lo_get(oid), '' ORDER BY oid)) FROM pg_largeobject_metadata)`;

/** Follows the document literally: its scripts and its commands, in a folder of their own, by stock programs. */
describe('docs/RECOVERY.md', () => {
  let server: PrivatePostgres;
  let harness: BackupHarness;
  let text: string;
  beforeAll(async () => {
    server = await startPostgres();
    harness = await BackupHarness.start(server);
    text = await readFile(DOCUMENT, 'utf8');
  }, 60_000);
  afterAll(async () => {
    await harness.stop();
    await server.stop();
  });

  const scriptOf = (name: string): string => {
    const [, script] = new RegExp(`<!-- ${name} -->\\s*\`\`\`js\\n([\\s\\S]*?)\`\`\``).exec(text) ?? [];
    if (script === undefined) throw new Error(`${name} is not in the document`);
    expect(script).not.toMatch(/rahatback(?!\/1)/i);
    return script;
  };
  const commandsOf = (title: string): string => {
    const section = text.split(/^## /m).find((part) => part.startsWith(title));
    const blocks = [...(section ?? '').matchAll(/```sh\n([\s\S]*?)```/g)].map(([, commands]) => commands);
    expect(blocks.length).toBe(1);
    return blocks.join('\n');
  };

  /** No node_modules above it, nothing of ours in the environment. */
  async function workbench(): Promise<{ folder: string; run: (commands: string) => void }> {
    const folder = join(harness.folder.path, randomUUID());
    await mkdir(folder);
    for (const name of ['recover.mjs', 'assemble.mjs']) await writeFile(join(folder, name), scriptOf(name));
    await writeFile(join(folder, 'recovery.txt'), `${harness.recovery.identity}\n`);
    const env = {
      PATH: `${dirname(process.execPath)}:${clientBinDir()}:/usr/bin:/bin`,
      PGHOST: server.host,
      PGPORT: String(server.port),
      PGUSER: server.superuser,
      PGPASSWORD: server.password,
    };
    const run = (commands: string): void => {
      execFileSync('/bin/bash', ['-euo', 'pipefail', '-c', commands], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    };
    return { folder, run };
  }

  async function sourceDatabase(): Promise<string> {
    const database = await server.createDatabase();
    await harness.query(
      database,
      "CREATE TABLE t (id int PRIMARY KEY, note text, data bytea); INSERT INTO t SELECT i, 'şık ' || md5(i::text), decode(md5((-i)::text), 'hex') FROM generate_series(1, 60000) i; SELECT lo_from_bytea(0, 'large object')",
    );
    return database;
  }

  it.each(['zstd', 'gzip', 'none'] as const)('reads a full backup, compression %s', async (compression) => {
    const database = await sourceDatabase();
    const { manifest } = await harness.backUp(database, { limits: { volumeMaxPlainBytes: 1_500_000 } }, compression);
    expect(manifest.volumes.length).toBeGreaterThan(1);
    const { folder, run } = await workbench();
    await cp(harness.folderOf(manifest.backupId), join(folder, 'backup'), { recursive: true });
    run(commandsOf('1. Open the key'));
    const restored = `restored_${compression}`;
    const tool = {
      zstd: 'zstd -d dump.sql.zst -o dump.sql',
      gzip: 'gunzip < dump.sql.zst > dump.sql',
      none: 'mv dump.sql.zst dump.sql',
    }[compression];
    const commands = commandsOf('3. Restore').replaceAll('restored', restored);
    expect(commands).toContain('zstd -d dump.sql.zst -o dump.sql');
    run(commands.replace('zstd -d dump.sql.zst -o dump.sql', tool));
    expect(await harness.query(restored, DIGEST)).toEqual(await harness.query(database, DIGEST));
  });

  it('reads a backup that points into another', async () => {
    const database = await sourceDatabase();
    const full = (await harness.backUp(database)).manifest;
    await harness.query(database, "UPDATE t SET note = 'changed' WHERE id = 30000");
    const { manifest } = await harness.backUp(database, {
      identity: harness.identity({ type: 'incremental', chainId: full.chain.id }),
      base: await loadChain([harness.toOpen(full.backupId)]),
    });
    const { folder, run } = await workbench();
    await cp(harness.folderOf(manifest.backupId), join(folder, 'backup'), { recursive: true });
    for (const { backupId } of [full, manifest])
      await cp(harness.folderOf(backupId), join(folder, 'chain', backupId), { recursive: true });
    run(commandsOf('1. Open the key'));
    run(commandsOf('4. A backup that points'));
    const end = JSON.parse((await readFile(join(folder, 'index.jsonl'), 'utf8')).trimEnd().split('\n').at(-1) ?? '') as {
      end: { sha256: string };
    };
    run(`echo "${end.end.sha256}  dump.sql" | sha256sum --check`);
    run(commandsOf('3. Restore').split('\n').slice(2).join('\n').replaceAll('restored', 'restored_link'));
    expect(await harness.query('restored_link', DIGEST)).toEqual(await harness.query(database, DIGEST));
  });

  it('stops at a changed byte', async () => {
    const { manifest } = await harness.backUp(await sourceDatabase());
    const { folder, run } = await workbench();
    await cp(harness.folderOf(manifest.backupId), join(folder, 'backup'), { recursive: true });
    run(commandsOf('1. Open the key'));
    const volume = join(folder, 'backup', 'data-00001');
    const bytes = await readFile(volume);
    bytes[bytes.length - 20] = (bytes[bytes.length - 20] as number) ^ 1;
    await writeFile(volume, bytes);
    expect(() => run('node recover.mjs backup keyset.json > dump.sql.zst')).toThrow(/authenticate/);
  });
});
