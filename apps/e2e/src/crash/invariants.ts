import { readdir, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BackupDetailView } from '@rahatback/contracts';
import { listProcesses, waitFor } from '@rahatback/testing';
import type { World } from '../system/world.js';

const CLEAN_TIMEOUT_MS = 20_000;

/** Every file below the server's storage root, as paths relative to it. */
export async function storedFiles(world: World): Promise<string[]> {
  const root = world.server.storageRoot;
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

/** Client tools that talk to the customer's server, whoever started them. */
export function toolsLeft(world: World): string[] {
  return listProcesses()
    .filter(({ argv }) => argv.some((arg) => /(^|\/)(pg_dump|pg_restore|psql)$/.test(arg)))
    .filter(({ argv }) => argv.some((arg) => arg.includes(String(world.customer.port))))
    .map(({ pid, argv }) => `${pid} ${argv.slice(0, 3).join(' ')}`);
}

/** `success` keeps exactly one attempt's folder; any other end keeps nothing. */
function strayFiles(backup: BackupDetailView, files: readonly string[]): string[] {
  const own = files.filter((file) => file.includes(backup.id));
  if (backup.status !== 'success') return own;
  const winner = backup.attempts.find((attempt) => attempt.state === 'success');
  return own.filter((file) => !file.includes(`${backup.id}/${winner?.fence ?? '?'}/`));
}

const stagingOf = (files: readonly string[]): string[] =>
  files.filter((file) => file.includes('.uploads') || file.endsWith('.tmp'));

async function noStrayFiles(world: World, backup: BackupDetailView): Promise<string[]> {
  let stray: string[] = [];
  try {
    await waitFor(
      async () => {
        const files = await storedFiles(world);
        stray = [...strayFiles(backup, files), ...stagingOf(files)];
        return stray.length === 0;
      },
      { timeoutMs: CLEAN_TIMEOUT_MS, describe: 'the cleanup to remove what lost attempts left' },
    );
    return [];
  } catch {
    return [`left in storage: ${stray.join(', ')}`];
  }
}

async function noToolLeft(world: World): Promise<string[]> {
  try {
    await waitFor(() => toolsLeft(world).length === 0, { timeoutMs: CLEAN_TIMEOUT_MS, describe: 'client tools to be gone' });
    return [];
  } catch {
    return [`left running: ${toolsLeft(world).join('; ')}`];
  }
}

/** A `success` must open with the recovery identity alone and be the whole dump; done by the agent's own CLI on the stored files. */
async function opensWithRecoveryKey(world: World, backup: BackupDetailView, identityPath: string): Promise<string[]> {
  const files = await storedFiles(world);
  const manifests = files.filter((file) => file.includes(backup.id) && file.endsWith('manifest.json'));
  const [manifest] = manifests;
  if (manifests.length !== 1 || !manifest) return [`${manifests.length} manifests in storage, not 1`];
  const folder = join(world.server.storageRoot, manifest, '..');
  const dump = join(world.server.home, `${backup.id}.dump`);
  const from = ['--from', pathToFileURL(folder).href, '--identity', identityPath, '--out', dump];
  const { code, stderr } = await world.agent.cli(['decrypt', ...from]);
  await rm(dump, { force: true });
  return code === 0 ? [] : [`the stored backup does not decrypt: ${stderr.slice(-500)}`];
}

/** I1, I2, I4, I7 of one backup row that has ended. @returns one sentence a violation */
export async function violationsOf(world: World, backup: BackupDetailView, identityPath: string): Promise<string[]> {
  const reasonless = backup.status === 'failed' && (!backup.errorCode || !backup.errorMessage) ? ['failed without a reason'] : [];
  const winners = backup.attempts.filter((attempt) => attempt.state === 'success').length;
  const once =
    winners === (backup.status === 'success' ? 1 : 0) ? [] : [`${winners} winning attempts for status ${backup.status}`];
  const opened = backup.status === 'success' ? await opensWithRecoveryKey(world, backup, identityPath) : [];
  return [...reasonless, ...once, ...opened, ...(await noStrayFiles(world, backup)), ...(await noToolLeft(world))];
}
