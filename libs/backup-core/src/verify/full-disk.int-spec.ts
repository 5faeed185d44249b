import { createRealisticDatabase, tempDir } from '@rahatback/testing';
import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import type { DatabaseEngine } from '../engine/database-engine.js';
import { postgresEngine } from '../engine/postgres/postgres-engine.js';
import { checkOf, VerificationWorld } from './verification-world.suite.js';

jest.setTimeout(120_000);
const LEFT_BYTES = 2 * 1024 * 1024;

/** A file system of its own; undefined where this user may not mount one. */
function mountSmallDisk(path: string): (() => void) | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=300m,mode=0755', 'tmpfs', path], { stdio: 'ignore' });
    return () => execFileSync('umount', ['-l', path]);
  } catch {
    return undefined;
  }
}

/** Takes the whole disk but a few megabytes, with which a restore can begin. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  let sizeBytes = 0;
  try {
    for (const piece = Buffer.alloc(64 * 1024); ;) sizeBytes += writeSync(file, piece);
  } catch {
    ftruncateSync(file, sizeBytes - LEFT_BYTES);
    closeSync(file);
  }
}

it('a disk that runs full during the restore says nothing against the backup', async () => {
  const disk = await tempDir('rahatback-small-', 0o755);
  const unmount = mountSmallDisk(disk.path);
  if (!unmount) {
    process.stdout.write('NOT PROVEN: a full disk: this user may not mount one\n');
    await disk.remove();
    return;
  }
  const world = await VerificationWorld.start();
  try {
    await chmod(disk.path, 0o755);
    const database = await world.server.createDatabase();
    const client = new Client({ connectionString: world.server.url(database) });
    await client.connect();
    await createRealisticDatabase(client, { targetMb: 4 });
    await client.end();
    const { backupId } = (await world.harness.backUp(database)).manifest;
    // As if the disk had room when it was looked at.
    const startThrowaway: DatabaseEngine['startThrowaway'] = (request) =>
      postgresEngine.startThrowaway({ ...request, dumpBytes: 0 });
    const outcome = await world.verify(backupId, 'FULL', {
      engine: { ...postgresEngine, startThrowaway },
      workDirs: [disk.path],
      onStep: ({ name }) => {
        if (name === 'restore') fill(join(disk.path, 'others'));
      },
    });
    expect(outcome).toMatchObject({
      status: 'SKIPPED',
      reason: expect.stringMatching(/too full/),
      restoreMs: null,
    });
    expect(outcome.checks.filter(({ result }) => result === 'failed')).toEqual([]);
    expect(checkOf(outcome, 'frames').result).toBe('passed');
    expect(checkOf(outcome, 'cleanup').result).toBe('passed');
    await world.assertNothingLeft();
  } finally {
    unmount();
    await world.stop();
    await disk.remove();
  }
});
