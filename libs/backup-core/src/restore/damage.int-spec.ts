import { AppError } from '@rahatback/contracts';
import {
  generateRecoveryIdentity,
  generateSealKeyPair,
  generateSigningKeyPair,
  openWithAgeIdentity,
  openWithAgentKey,
} from '@rahatback/crypto';
import { FolderSource } from '@rahatback/storage/agent';
import { seededRandom, startPostgres, type PrivatePostgres } from '@rahatback/testing';
import { cp, readFile, writeFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { BackupHarness } from '../backup-harness.suite.js';
import type { Manifest } from '../manifest/manifest.js';
import { serializeManifest, signAsAgent } from '../manifest/sign-manifest.js';
import { loadChain } from '../chain/load-chain.js';
import { ChunkTable } from '../index/chunk-table.js';
import { openBackup } from './open-backup.js';
import { decryptTo, dumpBytes } from './read-dump.js';

const SEGMENT = 1_048_576;

describe('a stored backup', () => {
  let server: PrivatePostgres;
  let harness: BackupHarness;
  let database: string;
  let manifest: Manifest;
  let other: Manifest;
  beforeAll(async () => {
    server = await startPostgres();
    harness = await BackupHarness.start(server);
    database = await server.createDatabase();
    // Rows that do not compress, so that there are several segments.
    await harness.query(
      database,
      'CREATE TABLE t (id int, note text); INSERT INTO t SELECT i, md5(i::text) || md5((i * 7)::text) || md5((i * 11)::text) FROM generate_series(1, 60000) i',
    );
    manifest = (await harness.backUp(database, { limits: { volumeMaxPlainBytes: 2_500_000 } })).manifest;
    // The same data key and the same data: only the associated data tells the two apart.
    const chain = await loadChain([harness.toOpen(manifest.backupId)]);
    other = (
      await harness.backUp(database, {
        limits: { volumeMaxPlainBytes: 2_500_000 },
        identity: harness.identity({ type: 'incremental', chainId: manifest.chain.id }),
        base: { ...chain, chunks: new ChunkTable() },
      })
    ).manifest;
  }, 60_000);
  afterAll(async () => {
    await harness.stop();
    await server.stop();
  });

  const read = async (folder: string): Promise<number> => {
    const backup = await openBackup({ ...harness.toOpen(manifest.backupId), source: new FolderSource(folder) });
    let bytes = 0;
    for await (const chunk of dumpBytes(backup)) bytes += chunk.length;
    return bytes;
  };
  /** Reads a copy of the backup after `spoil` has had its way with it. */
  async function spoilt(spoil: (folder: string) => Promise<void>): Promise<AppError> {
    const folder = join(harness.folder.path, 'spoilt');
    await rm(folder, { recursive: true, force: true });
    await cp(harness.folderOf(manifest.backupId), folder, { recursive: true });
    await spoil(folder);
    const error: unknown = await read(folder).then(
      (bytes) => new Error(`${bytes} bytes were read`),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(AppError);
    return error as AppError;
  }
  const alter = async (folder: string, name: string, change: (bytes: Buffer) => Buffer): Promise<void> => {
    await writeFile(join(folder, name), change(await readFile(join(folder, name))));
  };
  const flipped =
    (at: number) =>
    (bytes: Buffer): Buffer => {
      bytes[at] = (bytes[at] as number) ^ 1;
      return bytes;
    };

  it('reads whole, and decrypts to a stream', async () => {
    expect(await read(harness.folderOf(manifest.backupId))).toBe(manifest.dumpBytes);
    const parts: Buffer[] = [];
    const sink = new Writable({
      write(bytes: Buffer, _encoding, done) {
        parts.push(bytes);
        done();
      },
    });
    await decryptTo(await harness.open(manifest.backupId), sink);
    const text = Buffer.concat(parts);
    expect(text.length).toBe(manifest.dumpBytes);
    expect(text.toString('utf8', 0, 40)).toContain('-- PostgreSQL database dump');
  });

  it('names object and segment of one changed byte, in every segment', async () => {
    const objects = [...manifest.volumes, manifest.index];
    expect(manifest.volumes.length).toBeGreaterThan(1);
    const random = seededRandom(7);
    for (const { name, segments, storedBytes } of objects) {
      for (let segment = 0; segment < segments; segment += 1) {
        const start = segment === 0 ? 40 : segment * SEGMENT;
        const end = Math.min((segment + 1) * SEGMENT, storedBytes);
        for (const at of [start, end - 1, start + Math.floor(random.next() * (end - start))]) {
          const error = await spoilt((folder) => alter(folder, name, flipped(at)));
          expect(error).toMatchObject({ code: 'DATA_CORRUPT', details: { object: name, segment } });
        }
      }
    }
  }, 60_000);

  it('sees objects that are short, long, missing or swapped', async () => {
    const [first, second] = manifest.volumes.map(({ name }) => name) as [string, string];
    const cut = await spoilt((folder) => alter(folder, first, (bytes) => bytes.subarray(0, -1)));
    expect(cut).toMatchObject({ code: 'DATA_TRUNCATED', details: { object: first } });
    expect((await spoilt((folder) => alter(folder, first, (bytes) => Buffer.concat([bytes, Buffer.from('x')])))).code).toBe(
      'DATA_TRUNCATED',
    );
    expect((await spoilt((folder) => rm(join(folder, second)))).code).toBe('OBJECT_MISSING');
    const stolen = (name: string) => spoilt((folder) => cp(join(harness.folderOf(other.backupId), name), join(folder, name)));
    for (const name of ['manifest.json', 'keys-1.json', 'index', first]) {
      expect(['MANIFEST_INVALID', 'KEYS_INVALID', 'DATA_CORRUPT', 'DATA_TRUNCATED']).toContain((await stolen(name)).code);
    }
    // Same size, same key, same place.
    const twin = await spoilt(async (folder) => {
      const stored = await readFile(join(harness.folderOf(other.backupId), first));
      const size = manifest.volumes[0]?.storedBytes ?? 0;
      await writeFile(join(folder, first), Buffer.concat([stored, Buffer.alloc(size)]).subarray(0, size));
    });
    expect(twin).toMatchObject({ code: 'DATA_CORRUPT', details: { segment: 0 } });
  });

  it('is refused with a manifest that somebody else signed or changed', async () => {
    const forger = generateSigningKeyPair();
    const forged = await spoilt((folder) =>
      writeFile(join(folder, 'manifest.json'), serializeManifest(signAsAgent(manifest, forger.privateKey))),
    );
    expect(forged.code).toBe('MANIFEST_INVALID');
    const changed = await spoilt((folder) =>
      writeFile(join(folder, 'manifest.json'), serializeManifest({ ...manifest, fence: 9 })),
    );
    expect(changed.code).toBe('MANIFEST_INVALID');
  });

  it('tells a wrong key from damage, before any data', async () => {
    const toOpen = harness.toOpen(manifest.backupId);
    const stranger = generateSealKeyPair();
    const wrongAgent = openBackup({ ...toOpen, unlock: (keys) => openWithAgentKey(keys, stranger.privateKey) });
    await expect(wrongAgent).rejects.toMatchObject({ code: 'WRONG_KEY' });
    const { identity } = await generateRecoveryIdentity();
    await expect(openBackup({ ...toOpen, unlock: (keys) => openWithAgeIdentity(keys, identity) })).rejects.toMatchObject({
      code: 'WRONG_KEY',
    });
    await expect(openBackup({ ...toOpen, unlock: () => Promise.resolve(Buffer.alloc(32)) })).rejects.toMatchObject({
      code: 'WRONG_KEY',
    });
    const opened = await openBackup({ ...toOpen, unlock: (keys) => openWithAgeIdentity(keys, harness.recovery.identity) });
    expect(opened.end.bytes).toBe(manifest.dumpBytes);
  });

  it('fails a restore in the middle without leaving a database', async () => {
    const before = await harness.databases();
    const last = manifest.volumes.at(-1)?.name ?? '';
    const folder = join(harness.folder.path, 'half');
    await cp(harness.folderOf(manifest.backupId), folder, { recursive: true });
    await alter(folder, last, flipped(100));
    const backup = await openBackup({ ...harness.toOpen(manifest.backupId), source: new FolderSource(folder) });
    await expect(harness.restore(manifest.backupId, 'never', { backup })).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
    const cancel = new AbortController();
    const cancelled = harness.restore(manifest.backupId, 'never', {
      signal: cancel.signal,
      onSpawn: () => setImmediate(() => cancel.abort()),
    });
    await expect(cancelled).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await harness.databases()).toEqual(before);
  });

  it('finds and drops what a crashed restore left', async () => {
    const { engine, access } = harness.request(database);
    const backup = await harness.open(manifest.backupId);
    const name = await engine.createStaging(access, 'Restore-17', backup.facts);
    expect(await engine.findStaging(access)).toEqual([{ name, restoreId: 'Restore-17' }]);
    await engine.dropStaging(access, name);
    await engine.dropStaging(access, name);
    expect(await engine.findStaging(access)).toEqual([]);
    await expect(engine.dropStaging(access, database)).rejects.toMatchObject({ code: 'INTERNAL' });
  });
});
