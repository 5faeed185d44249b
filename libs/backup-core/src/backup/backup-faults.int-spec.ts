import { AppError } from '@rahatback/contracts';
import { SegmentEncryptor } from '@rahatback/crypto';
import { FolderSink, type BackupSink, type ObjectSink } from '@rahatback/storage/agent';
import {
  clientBinDir,
  isAlive,
  shimTools,
  startPostgres,
  waitFor,
  type PrivatePostgres,
  type ShimBehaviour,
} from '@rahatback/testing';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BackupHarness } from '../backup-harness.suite.js';
import type { ClientTools } from '../engine/database-engine.js';
import { postgresEngine } from '../engine/postgres/postgres-engine.js';
import { killLeftover, type ProcessRecord } from '../process/leftover.js';
import { Chunker } from '../chunker/fastcdc.js';
import type { BackupRequest } from './backup-request.js';
import { ChunkPacker } from './chunk-packer.js';

describe('a backup that cannot succeed', () => {
  let server: PrivatePostgres;
  let harness: BackupHarness;
  let database: string;
  let dumpBytes: number;
  beforeAll(async () => {
    server = await startPostgres();
    harness = await BackupHarness.start(server);
    database = await server.createDatabase();
    await harness.query(
      database,
      'CREATE TABLE t (id int, note text); INSERT INTO t SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 20000) i',
    );
    dumpBytes = (await harness.backUp(database)).manifest.dumpBytes;
  }, 60_000);
  afterAll(async () => {
    await harness.stop();
    await server.stop();
  });

  const real = { real: join(clientBinDir(), 'pg_dump') };

  async function shimmed(behaviour: ShimBehaviour, below = 'shims'): Promise<ClientTools[]> {
    const folder = join(harness.folder.path, below, randomUUID());
    const { binDir } = await shimTools(folder, { pg_dump: { version: '15.20', calls: [behaviour] }, psql: {} });
    return [{ major: server.major, version: '15.20', folder: binDir, warning: null }];
  }

  /** Runs to the error, and checks that nothing is left: no manifest, no half file, no process. */
  async function failing(change: Partial<BackupRequest>): Promise<AppError> {
    const identity = harness.identity();
    const spawned: ProcessRecord[] = [];
    const run = harness.backUp(database, { identity, onSpawn: (record) => spawned.push(record), ...change });
    const error = await run.then(
      () => new Error('it succeeded'),
      (reason: unknown) => reason,
    );
    const folder = harness.folderOf(identity.backupId);
    const left = existsSync(folder) ? readdirSync(folder) : [];
    expect(left.filter((name) => name === 'manifest.json' || name.endsWith('.partial'))).toEqual([]);
    for (const { pid } of spawned) expect(isAlive(pid)).toBe(false);
    expect(error).toBeInstanceOf(AppError);
    return error as AppError;
  }

  it.each<[string, ShimBehaviour, string]>([
    [
      'exits 1 after everything',
      { source: real, stderr: 'pg_dump: error: lost something\n', end: { exitCode: 1 } },
      'DUMP_FAILED',
    ],
    ['exits 1 at once', { stderr: 'pg_dump: error: bad\n', end: { exitCode: 1 } }, 'DUMP_FAILED'],
    ['is killed by the system after half', { source: real, emitBytes: 2_000_000, end: { signal: 'KILL' } }, 'DUMP_KILLED'],
    ['crashes', { source: real, emitBytes: 100, end: { signal: 'SEGV' } }, 'DUMP_KILLED'],
    ['says nothing and exits 0', {}, 'DUMP_INCOMPLETE'],
    ['writes rubbish and exits 0', { source: 'zeros', emitBytes: 5_000_000 }, 'DUMP_INCOMPLETE'],
    [
      'loses the server',
      {
        source: real,
        emitBytes: 1_000_000,
        stderr: 'pg_dump: error: server closed the connection unexpectedly\n',
        end: { exitCode: 1 },
      },
      'DB_CONNECTION_LOST',
    ],
    [
      'is too old',
      { stderr: 'pg_dump: error: aborting because of server version mismatch\n', end: { exitCode: 1 } },
      'TOOL_VERSION',
    ],
    [
      'may not read',
      { stderr: 'pg_dump: error: query failed: ERROR:  permission denied for table t\n', end: { exitCode: 1 } },
      'DB_PRIVILEGE',
    ],
  ])('fails when pg_dump %s', async (_name, behaviour, code) => {
    expect((await failing({ tools: await shimmed(behaviour) })).code).toBe(code);
  });

  it('fails for a dump that is cut anywhere, though pg_dump exits 0', async () => {
    const cuts = [
      1,
      100,
      500,
      1500,
      ...Array.from({ length: 12 }, (_, n) => Math.floor((dumpBytes * (n + 1)) / 13)),
      dumpBytes - 90,
      dumpBytes - 3,
    ];
    for (const emitBytes of cuts) {
      const { code } = await failing({ tools: await shimmed({ source: real, emitBytes }) });
      expect([emitBytes, code]).toEqual([emitBytes, 'DUMP_INCOMPLETE']);
    }
  }, 60_000);

  it('survives a flood on stderr, and hides the password in what it keeps', async () => {
    const flood = await failing({ tools: await shimmed({ stderrFloodBytes: 3_000_000, end: { exitCode: 1 } }) });
    expect(flood.message.length).toBeLessThan(1_500);
    const stderr = `pg_dump: error: connection with ${server.password} failed\n`;
    const error = await failing({ tools: await shimmed({ stderr, end: { exitCode: 1 } }, 'presented') });
    expect(error.message).toContain('connection with [hidden] failed');
    expect(JSON.stringify(error.toBody())).not.toContain(server.password);
  });

  it('ends the tool that writes nothing any more, even one that ignores SIGTERM', async () => {
    for (const end of ['hang', 'deaf'] as const) {
      const { code } = await failing({ tools: await shimmed({ source: { text: '--\n' }, end }), limits: { stallMs: 300 } });
      expect(code).toBe('DUMP_STALLED');
    }
  });

  it('is cancelled in the middle, and leaves no child', async () => {
    for (const reason of [undefined, new AppError('TIME_LIMIT', 'Too long.')]) {
      const cancel = new AbortController();
      const tools = await shimmed({ source: real, emitBytes: 3_000_000, end: 'deaf' });
      const { code } = await failing({ tools, signal: cancel.signal, onSpawn: () => setImmediate(() => cancel.abort(reason)) });
      expect(code).toBe(reason ? 'TIME_LIMIT' : 'CANCELLED');
    }
    const before = new AbortController();
    before.abort();
    expect((await failing({ signal: before.signal })).code).toBe('CANCELLED');
  });

  it('sees the server end the dump’s session', async () => {
    const slow = new SlowSink(new FolderSink(join(harness.folder.path, randomUUID())), async () => {
      await server.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rahatback' AND query LIKE 'COPY%'",
      );
    });
    await harness.query(database, 'INSERT INTO t SELECT i, repeat(md5(i::text), 40) FROM generate_series(1, 40000) i');
    expect((await failing({ sink: slow, compression: 'none' })).code).toBe('DB_CONNECTION_LOST');
  });

  it.each(['beginObject', 'write', 'complete', 'publish'] as const)('fails when the storage fails at %s', async (method) => {
    const error = await failing({ sink: new FailingSink(new FolderSink(join(harness.folder.path, randomUUID())), method) });
    expect(error.code).toBe('STORAGE_TRANSIENT');
  });

  it.each<[string, object, string]>([
    ['cutting', Chunker.prototype, 'push'],
    ['packing and compressing', ChunkPacker.prototype, 'add'],
    ['encrypting', SegmentEncryptor.prototype, 'update'],
  ])('ends as a whole when %s throws: the dump is killed, nothing counts as a success', async (_stage, stage, method) => {
    const broken = jest.spyOn(stage as Record<string, () => never>, method).mockImplementation(() => {
      throw new Error('planted');
    });
    const error = await failing({}).finally(() => broken.mockRestore());
    expect([error.code, (error.cause as Error).message]).toEqual(['PIPELINE_FAILED', 'planted']);
  });

  it('fails when the storage confirms other bytes than were sent', async () => {
    const error = await failing({ sink: new FailingSink(new FolderSink(join(harness.folder.path, randomUUID())), 'lie') });
    expect(error.code).toBe('CHECKSUM_MISMATCH');
  });

  it('refuses a server newer than every tool, before the dump', async () => {
    const old = [{ major: server.major - 1, version: `${server.major - 1}.9`, folder: clientBinDir(), warning: null }];
    const onSpawn = jest.fn();
    const error = await failing({ tools: old, onSpawn });
    expect(onSpawn).not.toHaveBeenCalled();
    expect(error).toMatchObject({
      code: 'TOOL_VERSION',
      message: expect.stringMatching(new RegExp(`pg_dump ${server.major - 1}\\.9 .*server ${server.major}\\.`)) as string,
    });
    expect((await failing({ tools: [] })).code).toBe('TOOL_MISSING');
  });

  it('can end what an earlier life left behind, and only that', async () => {
    const [tools] = await shimmed({ source: { text: '--\n' }, end: 'deaf' });
    const spawned: ProcessRecord[] = [];
    const run = harness
      .backUp(database, { tools: [tools as ClientTools], onSpawn: (record) => spawned.push(record) })
      .catch((error: unknown) => error);
    const record = await waitFor(() => spawned[0], { describe: 'the dump process' });
    expect(killLeftover({ ...record, startTicks: `${record.startTicks}1` })).toBe(false);
    expect(killLeftover(record)).toBe(true);
    expect(await run).toMatchObject({ code: 'DUMP_KILLED' });
    expect(killLeftover(record)).toBe(false);
  });

  it('still succeeds with the same harness', async () => {
    const { manifest } = await harness.backUp(database, { engine: postgresEngine });
    expect(existsSync(join(harness.folderOf(manifest.backupId), 'manifest.json'))).toBe(true);
  });
});

const failure = (): AppError => new AppError('STORAGE_TRANSIENT', 'The storage is away.');

class FailingSink implements BackupSink {
  constructor(
    private readonly sink: BackupSink,
    private readonly method: 'beginObject' | 'write' | 'complete' | 'publish' | 'lie',
  ) {}

  async beginObject(object: string): Promise<ObjectSink> {
    if (this.method === 'beginObject') throw failure();
    const inner = await this.sink.beginObject(object);
    return {
      write: async (bytes) => {
        if (this.method === 'write') throw failure();
        await inner.write(bytes);
      },
      complete: async () => {
        if (this.method === 'complete') throw failure();
        const completed = await inner.complete();
        return this.method === 'lie' ? { ...completed, sha256: '0'.repeat(64) } : completed;
      },
    };
  }

  async publish(object: string, bytes: Buffer): Promise<void> {
    if (this.method === 'publish') throw failure();
    await this.sink.publish(object, bytes);
  }

  abort(): Promise<void> {
    return this.sink.abort();
  }
}

/** Does something once, at the first bytes that are stored: the dump is in the middle then. */
class SlowSink implements BackupSink {
  private first = true;

  constructor(
    private readonly sink: BackupSink,
    private readonly onFirstWrite: () => Promise<void>,
  ) {}

  async beginObject(object: string): Promise<ObjectSink> {
    const inner = await this.sink.beginObject(object);
    return {
      write: async (bytes) => {
        const first = this.first;
        this.first = false;
        if (first) await this.onFirstWrite();
        await inner.write(bytes);
      },
      complete: () => inner.complete(),
    };
  }

  publish(object: string, bytes: Buffer): Promise<void> {
    return this.sink.publish(object, bytes);
  }

  abort(): Promise<void> {
    return this.sink.abort();
  }
}
