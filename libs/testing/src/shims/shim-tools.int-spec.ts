import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { descendantsOf, isAlive } from '../processes/process-tree.js';
import { tempDir, type TempDir } from '../temp-dir.js';
import { waitFor } from '../wait-for.js';
import { ENDING_SIGNALS, shimTools, type ShimBehaviour } from './shim-tools.js';

describe('shim tools', () => {
  let folder: TempDir;
  beforeEach(async () => {
    folder = await tempDir();
  });
  afterEach(() => folder.remove());

  const run = (...args: string[]): SpawnSyncReturns<Buffer> =>
    spawnSync(join(folder.path, 'pg_dump'), args, { maxBuffer: 2 ** 26 });
  const outcome = async (behaviour: ShimBehaviour): Promise<SpawnSyncReturns<Buffer>> => {
    await shimTools(folder.path, { pg_dump: { calls: [behaviour] } });
    return run('-Fc');
  };

  it('answers its version without counting the call', async () => {
    const tools = await shimTools(folder.path, { pg_dump: { version: '17.2', calls: [{ end: { exitCode: 5 } }, {}] } });
    expect(run('--version').stdout.toString()).toBe('pg_dump (PostgreSQL) 17.2\n');
    expect(run('-d', 'a b', "quote'd\nline", '').status).toBe(5);
    expect(run().status).toBe(0);
    expect(run().status).toBe(0);
    expect(await tools.calls('pg_dump')).toEqual([['-d', 'a b', "quote'd\nline", ''], [], []]);
    expect(await tools.calls('psql')).toEqual([]);
  });

  it('emits so many bytes and then fails', async () => {
    const { stdout, stderr, status } = await outcome({
      source: 'zeros',
      emitBytes: 5_000_000,
      stderr: 'pg_dump: error: lost\n',
      end: { exitCode: 1 },
    });
    expect([stdout.length, stderr.toString(), status]).toEqual([5_000_000, 'pg_dump: error: lost\n', 1]);
  });

  it('cuts a real file short and says success', async () => {
    const file = join(folder.path, 'whole.dump');
    await writeFile(file, 'PGDMP whole');
    const { stdout, status } = await outcome({ source: { file }, emitBytes: 5 });
    expect([stdout.toString(), status]).toEqual(['PGDMP', 0]);
  });

  it('runs the real tool, whole or cut', async () => {
    expect((await outcome({ source: { real: '/bin/echo' } })).stdout.toString()).toBe('-Fc\n');
    expect((await outcome({ source: { real: '/bin/echo' }, emitBytes: 2 })).stdout.toString()).toBe('-F');
  });

  it('dies by a signal', async () => {
    const { stdout, signal } = await outcome({ source: { text: 'half' }, end: { signal: 'KILL' } });
    expect([stdout.toString(), signal]).toEqual(['half', 'SIGKILL']);
  });

  it('floods stderr', async () => {
    expect((await outcome({ stderrFloodBytes: 3_000_000 })).stderr.length).toBe(3_000_000);
  });

  it('lets a child die for it, and goes on after it', async () => {
    const { stdout, status } = await outcome({
      source: { text: 'half' },
      emitBytes: 3,
      childSignal: 'KILL',
      trailer: '+',
      end: { exitCode: 3 },
    });
    expect([stdout.toString(), status]).toEqual(['hal+', 3]);
  });

  it.each(ENDING_SIGNALS)('can end by SIG%s', async (name) => {
    expect((await outcome({ end: { signal: name } })).signal).toBe(`SIG${name}`);
  });

  it('closes stdout and lives on; leaves a child behind', async () => {
    await shimTools(folder.path, {
      pg_dump: { calls: [{ source: { text: 'all' }, closeStdout: true, leaves: 'quiet', end: 'storm' }] },
    });
    const child = spawn(join(folder.path, 'pg_dump'), [], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const output: unknown[] = [];
    for await (const bytes of child.stdout) output.push(bytes);
    expect(String(output)).toBe('all');
    await new Promise((resolve) => child.stderr.once('data', resolve));
    expect(descendantsOf(child.pid ?? 0).map(({ argv }) => argv[0])).toEqual(['sleep']);
    process.kill(-(child.pid ?? 0), 'SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
  });

  it.each([
    ['hang', 'SIGTERM'],
    ['deaf', 'SIGKILL'],
  ] as const)('%s ends by %s', async (end, signal) => {
    await shimTools(folder.path, { pg_dump: { calls: [{ source: { text: 'begun' }, end }] } });
    const child = spawn(join(folder.path, 'pg_dump'), [], { stdio: ['ignore', 'pipe', 'ignore'] });
    const ended = new Promise((resolve) => child.once('exit', (_code, by) => resolve(by)));
    await waitFor(() => child.stdout.read() !== null, { describe: 'its first bytes' });
    if (end === 'deaf') {
      child.kill('SIGTERM');
      child.kill('SIGINT');
      expect(isAlive(child.pid ?? 0)).toBe(true);
    }
    child.kill(signal);
    expect(await ended).toBe(signal);
  });
});
