import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { crashPoint } from '@rahatback/backup-core/crash-point';
import { AppError } from '@rahatback/contracts';
import type { Keyring } from '@rahatback/crypto';
import pg from 'pg';
import { keyFile, makeKek, readKek, readKekSlot, writeKekSlot } from './key-index.js';
import type { KekSlot } from './key-index.js';
import { countSealedBy, knownKeys, noteKey, reseal, retireKey } from './kek-rows.js';
import { KEYRING_CHECK_MS } from './live-keyring.js';
import { SEALED_COLUMNS } from './sealed-columns.js';

const ROTATION_LOCK = 7_282_841_227;
const BATCH = 100;
/** Every process has looked at the index by then. */
const SETTLE_MS = 3 * KEYRING_CHECK_MS;
/** Signed addresses and tickets of the old key are good for an hour at most. */
const TICKETS_MS = 3_600_000;

/** Where a process may die during a rotation; the kill test passes all of them. */
export const ROTATION_CRASH_POINTS = [
  'keys.rotate.made',
  'keys.rotate.prepared',
  'keys.rotate.switched',
  'keys.rotate.retired',
  'keys.rotate.batch',
  'keys.rotate.resealed',
  'keys.remove.index_written',
] as const;

export type RotationStep = (typeof ROTATION_CRASH_POINTS)[number];

export interface RotationOptions {
  readonly keysDir: string;
  readonly databaseUrl: string;
  /** Hears of each step and each batch: how many rows were sealed again by now, and how many are left. */
  readonly report: (line: { event: string; [detail: string]: unknown }) => void;
}

export interface RotationStatus {
  readonly current: string;
  /** Still opens, no longer seals. */
  readonly previous: string | null;
  /** Rows that `previous` sealed. */
  readonly left: number;
  readonly state: 'single' | 'prepared' | 'resealing' | 'removable';
}

async function withClient<T>(options: RotationOptions, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: options.databaseUrl,
    application_name: 'rahatback keys',
    statement_timeout: 60_000,
  });
  client.on('error', () => undefined); // the query in progress rejects by itself
  await client.connect().catch((error: unknown) => {
    throw new AppError(
      'UNAVAILABLE',
      'PostgreSQL at DATABASE_URL does not answer. Start it, or correct the address.',
      undefined,
      {
        cause: error,
      },
    );
  });
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** One at a time, for all machines; a killed one gives the right back with its connection. */
function alone<T>(options: RotationOptions, work: (client: pg.Client) => Promise<T>): Promise<T> {
  return withClient(options, async (client) => {
    const { rows } = await client.query<{ got: boolean }>('SELECT pg_try_advisory_lock($1) AS got', [ROTATION_LOCK]);
    if (rows[0]?.got !== true) throw new AppError('CONFLICT', 'Another rotation of the server key is running. Wait for its end.');
    return work(client);
  });
}

/** How far a rotation is. */
export const rotationStatus = (options: RotationOptions): Promise<RotationStatus> =>
  withClient(options, async (client) => statusOf(client, await readKekSlot(options.keysDir)));

async function statusOf(client: pg.Client, slot: KekSlot): Promise<RotationStatus> {
  const previous = slot.live.find((kid) => kid !== slot.current) ?? null;
  if (previous === null) return { current: slot.current, previous, left: 0, state: 'single' };
  if (slot.next !== undefined) return { current: slot.current, previous: null, left: 0, state: 'prepared' };
  const left = await countSealedBy(client, previous);
  const isEmpty = (await knownKeys(client)).some(({ kid, emptiedAt }) => kid === previous && emptiedAt !== null);
  return { current: slot.current, previous, left, state: isEmpty && left === 0 ? 'removable' : 'resealing' };
}

/**
 * Makes a new key-encryption key, has every process seal by it, and seals again whatever the old one sealed, while all of them work on. Goes on where
 * one that was killed stopped. The old key still opens until `removeOldKek`.
 * @throws AppError CONFLICT while another runs or when the last one's old key was not removed yet; CONFIG_INVALID for damaged keys
 */
export const rotateKek = (options: RotationOptions): Promise<RotationStatus> =>
  alone(options, async (client) => {
    const { keysDir, report } = options;
    const before = await statusOf(client, await readKekSlot(keysDir));
    if (before.state === 'removable') {
      throw new AppError(
        'CONFLICT',
        `The key ${before.previous} of the last rotation is still there. Remove it, then rotate again.`,
      );
    }
    if (before.state === 'single') await prepare(keysDir, report);
    await switchOver(client, options);
    const slot = await readKekSlot(keysDir);
    const keyring = await keyringOf(keysDir, slot);
    await retireKey(client, keyring.previous.kid);
    passed('keys.rotate.retired', report, { kid: keyring.previous.kid });
    await resealAll(client, keyring, report);
    const left = await countSealedBy(client, keyring.previous.kid);
    if (left > 0) throw new AppError('INTERNAL', `${left} rows are still sealed by the old key. Run the rotation again.`);
    await client.query('UPDATE server_keys SET emptied_at = clock_timestamp() WHERE kid = $1', [keyring.previous.kid]);
    passed('keys.rotate.resealed', report, { kid: keyring.current.kid, left });
    return statusOf(client, slot);
  });

function passed(step: RotationStep, report: RotationOptions['report'], details: object = {}): void {
  report({ event: step, ...details });
  crashPoint(step);
}

/** The new key opens everywhere before anybody seals by it. */
async function prepare(keysDir: string, report: RotationOptions['report']): Promise<void> {
  const next = await makeKek(keysDir);
  passed('keys.rotate.made', report, { kid: next });
  const { current } = await readKekSlot(keysDir);
  await writeKekSlot(keysDir, { current, live: [current, next], next });
  passed('keys.rotate.prepared', report);
}

async function switchOver(client: pg.Client, { keysDir, report }: RotationOptions): Promise<void> {
  const { current, live, next } = await readKekSlot(keysDir);
  for (const kid of live) await noteKey(client, { kid, key: await readKek(keysDir, kid) });
  if (next !== undefined) {
    await delay(SETTLE_MS);
    await writeKekSlot(keysDir, { current: next, live: [next, current] });
    passed('keys.rotate.switched', report, { kid: next });
  }
  await delay(SETTLE_MS);
}

async function keyringOf(keysDir: string, { current, live }: KekSlot): Promise<Required<Keyring>> {
  const previous = live.find((kid) => kid !== current) ?? '';
  return {
    current: { kid: current, key: await readKek(keysDir, current) },
    previous: { kid: previous, key: await readKek(keysDir, previous) },
  };
}

async function resealAll(client: pg.Client, keyring: Required<Keyring>, report: RotationOptions['report']): Promise<void> {
  let done = 0;
  for (const place of SEALED_COLUMNS) {
    for (let count = BATCH; count > 0;) {
      count = await reseal(client, place, keyring, BATCH);
      done += count;
      if (count === 0) continue;
      const left = await countSealedBy(client, keyring.previous.kid);
      passed('keys.rotate.batch', report, { column: `${place.table}.${place.column}`, done, left });
    }
  }
}

/**
 * Takes the old key out of the folder: an hour after the rotation, when the last signed address of it is over, or at once by `now`. Does nothing when
 * there is no old key. Copies of the database from before the rotation still need it.
 * @throws AppError CONFLICT while the rotation is not at its end or the hour is not over
 */
export const removeOldKek = (options: RotationOptions & { readonly now?: boolean }): Promise<RotationStatus> =>
  alone(options, async (client) => {
    const { keysDir, report } = options;
    const status = await statusOf(client, await readKekSlot(keysDir));
    if (status.state === 'prepared' || status.state === 'resealing') {
      throw new AppError('CONFLICT', `The rotation is not at its end: ${status.left} rows are left. Run rotate first.`);
    }
    if (status.state === 'removable' && options.now !== true) await assertTicketsOver(client, status.previous);
    await writeKekSlot(keysDir, { current: status.current, live: [status.current] });
    passed('keys.remove.index_written', report);
    for (const { kid, emptiedAt } of await knownKeys(client)) {
      if (emptiedAt !== null && kid !== status.current) await rm(keyFile(keysDir, kid), { force: true });
    }
    return statusOf(client, await readKekSlot(keysDir));
  });

async function assertTicketsOver(client: pg.Client, kid: string | null): Promise<void> {
  const { rows } = await client.query<{ wait: number }>(
    'SELECT ceil(extract(epoch FROM emptied_at - clock_timestamp()) + $2)::int AS wait FROM server_keys WHERE kid = $1',
    [kid, TICKETS_MS / 1000],
  );
  const waitSeconds = rows[0]?.wait ?? 0;
  if (waitSeconds <= 0) return;
  throw new AppError(
    'CONFLICT',
    `Addresses that the old key signed are good for another ${Math.ceil(waitSeconds / 60)} minutes. Remove it then, or say --now: uploads in work ask for new addresses.`,
    { waitSeconds },
  );
}
