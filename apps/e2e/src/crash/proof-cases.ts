import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import type { Page, RestoreAnswer, RestoreView, SwapState, VerificationView, VerifyAnswer } from '@rahatback/contracts';
import { listProcesses, waitFor } from '@rahatback/testing';
import type { World } from '../system/world.js';

/** A kill in the middle of a verification, a swap or an undo: how each is begun, and what must hold when it has ended. */
export interface ProofEnd {
  readonly ended: string;
  readonly code: string | null;
  readonly violations: string[];
}

const CLEAN_TIMEOUT_MS = 20_000;
const DONE: readonly SwapState[] = ['swapped', 'swap_failed', 'undone', 'undo_failed', 'discarded'];

export const startVerification = ({ person }: World, backupId: string): Promise<VerifyAnswer> =>
  person.call('POST', `/v1/backups/history/${backupId}/verify`, { verificationLevel: 'FULL' });

export const startSwap = ({ person, customerDatabase }: World, backupId: string): Promise<RestoreAnswer> =>
  person.call('POST', `/v1/backups/history/${backupId}/restore`, {
    mode: 'swap',
    confirmDatabase: customerDatabase,
    drainSeconds: 1,
  });

export const startUndo = ({ person, customerDatabase }: World, restoreId: string): Promise<unknown> =>
  person.call('POST', `/v1/restores/${restoreId}/undo`, { confirmDatabase: customerDatabase });

export const verificationRows = async ({ person }: World): Promise<readonly VerificationView[]> =>
  (await person.call<Page<VerificationView>>('GET', '/v1/verifications?limit=100')).results;

/** Servers that a verification started, by the folder that only they have. */
const throwawayServers = (): string[] =>
  listProcesses()
    .filter(({ argv }) => argv.some((arg) => arg.includes('rahatback-verify-')))
    .map(({ pid, argv }) => `${pid} ${argv.slice(0, 3).join(' ')}`);

const throwawayFolders = async (): Promise<string[]> =>
  (await readdir(tmpdir())).filter((name) => name.startsWith('rahatback-verify-'));

/** PASSED, or SKIPPED with its reason: a killed agent says nothing against a backup. Nothing of the throw-away server is left. */
export async function verificationEnd(world: World, id: string, timeoutMs: number): Promise<ProofEnd> {
  const ended = await waitFor(
    async () => {
      const row = await world.person.call<VerificationView>('GET', `/v1/verifications/${id}`);
      return row.status === 'PENDING' ? undefined : row;
    },
    { timeoutMs, pollMs: 200, describe: `verification ${id} to end` },
  );
  const violations: string[] = [];
  if (ended.status === 'FAILED') violations.push(`a good backup was called bad: ${ended.reason ?? ''}`);
  if (ended.status === 'SKIPPED' && !ended.reason) violations.push('skipped without a reason');
  await waitFor(async () => throwawayServers().length === 0 && (await throwawayFolders()).length === 0, {
    timeoutMs: CLEAN_TIMEOUT_MS,
    describe: 'the throw-away server to be gone',
  }).catch(async () => violations.push(`left behind: ${[...throwawayServers(), ...(await throwawayFolders())].join(', ')}`));
  return { ended: ended.status, code: ended.errorCode, violations };
}

/** Waits until neither a restore nor a swap is under way. */
export async function swapSettled({ person }: World, id: string, timeoutMs: number): Promise<RestoreView> {
  return waitFor(
    async () => {
      const row = await person.call<RestoreView>('GET', `/v1/restores/${id}`);
      const isOver =
        row.status === 'failed' || row.status === 'cancelled' || (row.swapState !== null && DONE.includes(row.swapState));
      return isOver ? row : undefined;
    },
    { timeoutMs, pollMs: 200, describe: `the swap of restore ${id} to end` },
  );
}

/** The live name stands, wholly old or wholly new, and takes connections again; what was put aside can be dropped. */
export async function swapEnd(world: World, id: string, timeoutMs: number): Promise<ProofEnd> {
  const ended = await swapSettled(world, id, timeoutMs);
  const violations: string[] = [];
  const counts = await world.customer
    .query('SELECT (SELECT count(*) FROM musteri)::int, (SELECT count(*) FROM siparis)::int', {
      database: world.customerDatabase,
    })
    .catch((error: unknown) => void violations.push(`the live database cannot be read: ${String(error)}`));
  if (counts && (counts[0]?.[0] !== 500 || counts[0]?.[1] !== 20_000))
    violations.push(`the live database holds ${String(counts[0])}`);
  const [limits] = await world.customer.query(
    `SELECT datallowconn, datconnlimit FROM pg_database WHERE datname = '${world.customerDatabase}'`,
  );
  if (limits?.[0] !== true || limits[1] !== -1) violations.push(`the live database was left closed: ${String(limits)}`);
  if (ended.swapState?.endsWith('_failed') === true && !ended.errorMessage) violations.push('failed without a reason');
  await putAway(world, ended);
  return { ended: ended.swapState ?? ended.status, code: ended.errorCode, violations };
}

/** So that the next case finds the server as this one did. */
async function putAway(world: World, restore: RestoreView): Promise<void> {
  const aside = restore.retiredDatabase ?? (restore.status === 'success' ? restore.targetDatabase : null);
  if (aside === null) return;
  if (restore.swapState === 'swapped' || restore.swapState === 'undone') {
    await world.person.call('POST', `/v1/restores/${restore.id}/discard`, { confirmDatabase: aside });
    await waitFor(
      async () => (await world.person.call<RestoreView>('GET', `/v1/restores/${restore.id}`)).swapState === 'discarded',
      { timeoutMs: CLEAN_TIMEOUT_MS, describe: 'the database that was put aside to be dropped' },
    );
  } else {
    await world.customer.query(`DROP DATABASE IF EXISTS "${aside}" WITH (FORCE)`);
  }
}
